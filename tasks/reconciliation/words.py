"""Describes a charge or a refund, the provider's and ours alike, so that equal ones read the same."""

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, cast, func, select
from sqlalchemy.orm import Session

from models.orders import Order
from models.payments import ChargeAttempt, RefundAttempt
from tasks.ports import Charge, Dispute, Refund, Unreadable
from tasks.reconciliation.unseen import Recorded

NOTHING: Final = "nothing"


def told(made: Charge | Refund | Dispute | ChargeAttempt | RefundAttempt | Recorded | Unreadable) -> str:
    """`succeeded: 11900 EUR`, in minor units as all of `prorata ledger verify` is."""
    if isinstance(made, Unreadable):
        return f"{made.status}, which this release cannot read"
    return f"{made.status}: {made.amount_minor} {made.currency}"


def numbers(session: Session, order_ids: Iterable[UUID | None]) -> dict[UUID, int]:
    """The numbers, by id, of those orders that exist here."""
    ids = cast([id_ for id_ in order_ids if id_ is not None], ARRAY(Uuid))  # one parameter: a statement may have 65,535
    return dict(session.execute(select(Order.id, Order.number).where(Order.id == func.any(ids))).all())


def where(order_id: UUID | None, known: Mapping[UUID, int]) -> str:
    number = known.get(order_id) if order_id is not None else None
    return f"order {order_id}, which is not here" if number is None else f"order {number}"
