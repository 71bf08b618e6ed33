"""An order's timeline, the table `order_events`: entries are appended, and asked for."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from models import step_ends
from models.orders import OrderEvent
from models.prepared import Prepared

# Run several times for every order, so built once.
_NOTE = Prepared[()](
    insert(OrderEvent.metadata.tables[OrderEvent.__tablename__])
    .values({name: bindparam(name) for name in ("order_id", "kind", "facts")})
    .inline()
)


def note(session: Session, order_id: UUID, kind: str, facts: Mapping[str, Any] | None = None) -> None:
    """Append to the order's timeline. `facts` is JSON and holds no secrets and no addresses.

    Lock the order's row first. Of two concurrent writers, the one whose entry has the lower id must commit first: a reader that continues
    after the newest entry it has seen would otherwise miss the lower one.
    """
    step_ends.write(session)
    _NOTE.run(session, {"order_id": order_id, "kind": kind, "facts": dict(facts or {})})


def note_once(session: Session, order_id: UUID, kind: str, facts: Mapping[str, Any]) -> bool:
    """`note`, unless the timeline has that entry; returns whether it was new. Lock the order's row first, or it may be new to two callers."""
    if is_noted(session, order_id, kind, facts):
        return False
    note(session, order_id, kind, facts)
    return True


def is_noted(session: Session, order_id: UUID, kind: str, facts: Mapping[str, Any]) -> bool:
    """Whether the timeline has an entry of this kind with these facts, among others."""
    same = (OrderEvent.order_id == order_id, OrderEvent.kind == kind, OrderEvent.facts.contains(dict(facts)))
    return session.scalar(select(OrderEvent.id).where(*same).limit(1)) is not None
