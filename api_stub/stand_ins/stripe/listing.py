"""Lists as Stripe pages them: newest first, `limit` 1-100 (10), `starting_after`, `ending_before`, `created`."""

from collections.abc import Mapping
from typing import Any

from api_stub.stand_ins.stripe.errors import JsonObject, malformed, missing
from api_stub.stand_ins.stripe.ledger import Ledger

_COMPARE = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def page(ledger: Ledger, kind: str, url: str, params: Mapping[str, Any], **links: str | None) -> JsonObject:
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise malformed("This value must be between 1 and 100.", code="parameter_invalid_integer", param="limit")
    backwards = "ending_before" in params
    conditions, values = _created(params.get("created"))
    for name, comparison in (("starting_after", "<"), ("ending_before", ">")):
        if name in params:
            conditions.append(f"seq {comparison} ?")
            values.append(_position(ledger, kind, params[name], name))
    found = ledger.select(
        kind,
        {name: value for name, value in links.items() if value is not None},
        condition=" AND ".join(conditions) or "1",
        values=tuple(values),
        limit=limit + 1,
        newest_first=not backwards,
    )
    data = found[:limit]
    if backwards:
        data.reverse()
    return {"object": "list", "url": url, "has_more": len(found) > limit, "data": data}


def _position(ledger: Ledger, kind: str, identifier: str, name: str) -> int:
    position = ledger.position_of(identifier)
    if position is None:
        raise missing(kind, identifier, param=name)
    return position


def _created(created: Any) -> tuple[list[str], list[Any]]:
    if created is None:
        return [], []
    if isinstance(created, int):
        return ["created = ?"], [created]
    return [f"created {_COMPARE[name]} ?" for name in created], list(created.values())
