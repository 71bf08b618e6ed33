"""Disputes that have turned, or have another amount, since a person recorded an order's charge as given back: what was told then of who has the money is true no more."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.orders import Order, OrderEvent
from models.rules.currency import format_amount
from models.states import DisputeStatus
from models.timeline_kinds import DISPUTED, Kind
from tasks.refunds import disputes, refunded


def why_untrue(session: Session, order: Order) -> str | None:
    """What the notice says untruly of what the customer's bank returns; None if it is still true."""
    for then, facts in turned(session, order):
        had, has = (format_amount(each["amount_minor"], each["currency"]) for each in (then, facts))
        since = (
            f"lost with {had} when that was recorded, is lost with {has} now"
            if _is_lost(facts)
            else f"lost when that was recorded, is {facts['status']} now"
        )
        return (
            f"says what the customer's bank returns, but dispute {facts['dispute']}, {since}: "
            "docs/disputes.md, A disputed charge, says who has the money"
        )
    return None


def turned(session: Session, order: Order) -> Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """What was noted then, and is now, of those disputes of the order's own charge that were lost then, and are not any more, or with another amount."""
    charge = refunded.succeeded_charge(session, order)
    attempt = refunded.recorded_outside(session, charge) if charge is not None else None
    if charge is None or attempt is None:
        return []
    kinds = (*DISPUTED, Kind.REFUND_SETTLED_OUTSIDE)
    about = select(OrderEvent).where(OrderEvent.order_id == order.id, OrderEvent.kind.in_(kinds))
    before, now = list[OrderEvent](), list[OrderEvent]()
    for entry in session.scalars(about.order_by(OrderEvent.id)):
        if entry.kind != Kind.REFUND_SETTLED_OUTSIDE:
            now.append(entry)
        elif entry.facts["attempt"] == attempt.attempt:
            before = list(now)
    lost = {each["dispute"]: each for each in disputes.latest(before, charge.attempt) if _is_lost(each)}
    pairs = ((lost[each["dispute"]], each) for each in disputes.latest(now, charge.attempt) if each["dispute"] in lost)
    return [(then, each) for then, each in pairs if not _is_lost(each) or then["amount_minor"] != each["amount_minor"]]


def _is_lost(facts: Mapping[str, Any]) -> bool:
    return bool(facts["status"] == DisputeStatus.LOST)
