"""Results of steps that share a transaction (`tasks.carrying`): kept in the session and written by one statement, often as part of
a statement that another module sends anyway.

`later` keeps a result; the order in hand is then where that step leads. `moved()` is the part of a statement that writes what was
kept, `of` takes its parameters. Whoever needs the row as it will be, and whoever commits, calls `write` before.
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

_NOTED: Final = "models.step_ends"


def moved(*, also: str = "", begun: str = "", then_noted: str = "") -> str:
    """CTEs `moved` (the order's row, nothing where our lease is lost), `recorded`, `noted`.

    also: what else to set on the row. begun: CTEs that go by `moved`. then_noted: SELECTs `order_id, kind, facts` of what else to note.
    """
    then_noted = then_noted and f" UNION ALL {then_noted}"
    begun = begun and f"{begun},"
    return f"""
    moved AS (
        UPDATE orders SET next_step = :next_step, attempts = 1, restarts = 0, last_error = NULL{also}
        WHERE id = :order_id AND lease_token = :token AND next_step = :stood_at
        RETURNING id, revision, contact_id
    ),
    ended AS (
        SELECT id, revision, ended.* FROM moved,
            jsonb_to_recordset(:ended) AS ended(step text, tries int, outcome text, kind text, facts jsonb)
    ),
    recorded AS (
        INSERT INTO order_steps (order_id, revision, step, attempts, outcome, updated_at)
        SELECT id, revision, step, tries, outcome, clock_timestamp() FROM ended
        ON CONFLICT (order_id, revision, step)
        DO UPDATE SET attempts = excluded.attempts, outcome = excluded.outcome, updated_at = excluded.updated_at
    ),
    {begun}
    noted AS (INSERT INTO order_events (order_id, kind, facts) SELECT id, kind, facts FROM ended{then_noted})
"""  # noqa: S608 - put together from constants


def typed(sql: str) -> TextClause:
    """A statement that `moved` is a part of."""
    return text(sql).bindparams(
        bindparam("order_id", type_=Uuid), bindparam("token", type_=Uuid), bindparam("ended", type_=JSONB)
    )


_WRITE = Prepared[UUID](typed(f"WITH {moved()} SELECT id FROM moved"))  # noqa: S608


def later(session: Session, order: Order, outcome: str, *, next_step: Step, facts: Mapping[str, Any]) -> None:
    """The step that it is the turn of has ended so; our lease stays on the order. It is written with what follows."""
    this = order.next_step
    noted = session.info.setdefault(_NOTED, {})
    first = noted.setdefault(
        order.id, {"order_id": order.id, "token": order.lease_token, "stood_at": this, "ended": []}
    )
    end = {"step": this, "tries": order.attempts, "outcome": outcome, "kind": f"{this}.{outcome}", "facts": dict(facts)}
    first["ended"].append(end)
    first["next_step"] = next_step
    for name, value in {"next_step": next_step, "attempts": 1, "restarts": 0, "last_error": None}.items():
        set_committed_value(order, name, value)


def of(session: Session, order_id: UUID) -> dict[str, Any] | None:
    """The parameters of `moved`, once: whoever takes them writes them. None where nothing is noted."""
    noted: dict[UUID, dict[str, Any]] | None = session.info.get(_NOTED)
    return noted.pop(order_id, None) if noted else None


def write(session: Session) -> None:
    """Write what is noted by itself. Raises LeaseLost."""
    for order_id in list(session.info.get(_NOTED, ())):
        asked = of(session, order_id)
        if asked and _WRITE.scalar(session, asked) is None:
            raise LeaseLost(order_id)
