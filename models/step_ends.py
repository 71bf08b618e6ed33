"""Results of steps after which the same worker goes on with the order: kept in the session and written by one statement, often as part
of a statement that another module sends anyway. So steps that share a transaction (`tasks.carrying`) are ended together.

`later` stores a result and updates the order object to match. `moved()` is the SQL that writes stored results as part of another
statement; `take_stored` returns its parameters and removes them. Call `write` before reading the order's row, and before committing.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import TextClause, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from models.lease import LeaseLost
from models.orders import Order
from models.prepared import Prepared
from models.states import Step

_STORED: Final = "models.step_ends"
"""key in a session's `info`"""


def moved(*, also_set: str = "", ctes: str = "", also_noted: str = "") -> str:
    """CTEs `moved` (the order's row; empty where our lease is lost) and `noted`. That the same worker goes on is the next step's first attempt.

    also_set: further assignments to the row. ctes: further CTEs, which may read `moved`. also_noted: a SELECT of further timeline entries, as
    `order_id, kind, facts`.
    """
    and_set = also_set and f", {also_set}"
    and_ctes = ctes and f"{ctes},"
    and_noted = also_noted and f" UNION ALL {also_noted}"
    return f"""
    moved AS (
        UPDATE orders SET next_step = :next_step, attempts = 1, restarts = 0, last_error = NULL{and_set}
        WHERE id = :order_id AND lease_token = :token AND next_step = :stood_at
        RETURNING id, contact_id
    ),
    {and_ctes}
    noted AS (
        INSERT INTO order_events (order_id, kind, facts)
        SELECT id, kind, facts FROM moved, jsonb_to_recordset(:ended) AS ended(kind text, facts jsonb){and_noted}
    )
"""  # noqa: S608 - put together from constants


def typed(sql: str) -> TextClause:
    """A statement that `moved` is a part of."""
    return text(sql).bindparams(
        bindparam("order_id", type_=Uuid), bindparam("token", type_=Uuid), bindparam("ended", type_=JSONB)
    )


_WRITE = Prepared[UUID](typed(f"WITH {moved()} SELECT id FROM moved"))  # noqa: S608


def later(session: Session, order: Order, *, next_step: Step, facts: Mapping[str, Any]) -> None:
    """Store that the current step is done; it is written with a later statement. Our lease stays on the order."""
    this = order.next_step
    noted = session.info.setdefault(_STORED, {})
    first = noted.setdefault(
        order.id, {"order_id": order.id, "token": order.lease_token, "stood_at": this, "ended": []}
    )
    first["ended"].append({"kind": f"{this}.done", "facts": told(order, facts)})
    first["next_step"] = next_step
    for name, value in {"next_step": next_step, "attempts": 1, "restarts": 0, "last_error": None}.items():
        set_committed_value(order, name, value)


def told(order: Order, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the timeline says of the end of the current step: its facts, and how many tries it took if it took several."""
    return {**facts, **({"tries": order.attempts} if order.attempts > 1 else {})}


def take_stored(session: Session, order_id: UUID) -> dict[str, Any] | None:
    """The parameters of `moved`, or None where no result is stored. They are handed out once: the caller must write them."""
    noted: dict[UUID, dict[str, Any]] | None = session.info.get(_STORED)
    return noted.pop(order_id, None) if noted else None


def write(session: Session) -> None:
    """Write all stored results, in statements of their own. Raises LeaseLost."""
    for order_id in list(session.info.get(_STORED, ())):
        params = take_stored(session, order_id)
        if params and _WRITE.scalar(session, params) is None:
            raise LeaseLost(order_id)
