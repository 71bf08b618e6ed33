"""Balance that is reserved for an order: taken before the charge, spent once the order is active, released if the order ends otherwise."""

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from models import ledger
from models.ledger import Cause, LedgerMovement, MovementKind, cause_of
from models.orders import Order
from models.prepared import Prepared
from models.states import FINAL, OrderStatus, Step

_RELEASES = FINAL - {OrderStatus.COMPLETED} | {OrderStatus.AWAITING_CONFIRMATION}

_RESERVED_AND_RELEASED = Prepared[int](
    select(LedgerMovement.amount_minor).where(
        or_(LedgerMovement.cause == bindparam("reserve"), LedgerMovement.cause == bindparam("release"))
    )
)


def reserve(session: Session, order: Order) -> None:
    """Reserve the order's share of the balance, once per revision. Raises BalanceTooLow."""
    if order.balance_used_minor:
        ledger.post_for(
            session,
            order,
            MovementKind.RESERVED,
            -order.balance_used_minor,
            cause=Cause.RESERVE,
            revision=order.revision,
            step=Step.COMPUTE_PRORATION,
        )


def reserved(session: Session, order: Order) -> int:
    """What this revision of the order has reserved and not released, in minor units."""
    if not order.balance_used_minor:
        return 0
    causes = {cause.value: cause_of(order.id, cause, order.revision) for cause in (Cause.RESERVE, Cause.RELEASE)}
    return -sum(minor for (minor,) in _RESERVED_AND_RELEASED.all(session, causes))


def release(session: Session, order: Order, status: OrderStatus, step: Step | None) -> None:
    """Release the balance that the order had reserved, if `status` ends it without completion or means that it is quoted anew."""
    if status in _RELEASES and (amount_minor := reserved(session, order)):
        ledger.post_for(
            session,
            order,
            MovementKind.RELEASED,
            amount_minor,
            cause=Cause.RELEASE,
            revision=order.revision,
            step=step or "placement",
        )
