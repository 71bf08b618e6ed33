"""What a person is told of a row: their own data, and nobody else's."""

import json
from collections.abc import Callable
from typing import Any

from models.messages import WebhookReceived
from models.orders import Order
from models.support_cases import SupportCase
from tasks.personal_data.person import Person, named_in, with_texts

Told = dict[str, Any]


def columns(*names: str) -> Callable[[Any, Person], Told]:
    """These of the row's table, and all that was selected beside it."""

    def tell(row: Any, _: Person) -> Told:
        beside = {name: value for name, value in row._mapping.items() if value is not row[0]}
        return {name: getattr(row[0], name) for name in names} | beside

    return tell


def support_case(row: Any, of: Person) -> Told:
    """Of a case that somebody else asked for only that it mentions the person."""
    case: SupportCase = row[0]
    theirs = case.contact_id in of.contacts
    words = {"text": case.text, "closed_why": case.closed_why and of.alone_in(case.closed_why)}
    return {
        **columns("number", "created_at", "asked_at", "closed_at")(row, of),
        **{name: words[name] if theirs else None for name in words},
        "named_as": [] if theirs else [of.email],
    }


def reason(row: Any, of: Person) -> Told:
    """An order's reason names others beside the person: ten contacts, say."""
    order: Order = row[0]
    columns = {"number": order.number, "account_id": order.account_id, "reason": order.reason}
    return columns | {"named_as": named_in(order.reason_facts, of)}


def webhook(row: Any, of: Person) -> Told:
    """Without anybody else's address: a customer's former one may be another contact's."""
    told = with_texts(payload(row[0]), of.alone_in)
    return columns("id", "type", "received_at", "handled_at")(row, of) | {"payload": told}


def payload(received: WebhookReceived) -> Any:
    """As JSON; as text where it is none."""
    text = received.payload.decode(errors="backslashreplace")
    try:
        return json.loads(text)
    except ValueError:
        return text
