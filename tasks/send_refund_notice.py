"""The way back ends: tell the customer, and end the order."""

from uuid import UUID

from sqlalchemy.orm import Session

from models import attention, recording
from models.ending import Ending
from models.orders import Order
from models.states import LetterKind, OrderStatus, Step
from tasks.failure_points import reach
from tasks.mail import mailing
from tasks.refunds import refunded
from tasks.running.outcome import Outcome
from tasks.step import step, take
from tasks.wiring import begin

THIS = Step.SEND_REFUND_NOTICE


@step
def send_refund_notice(order_id: UUID) -> Outcome:
    """Say what was refunded and why. The order ends as refunded; as cancelled or rejected if nothing had been charged.

    If a refund failed after the provider had accepted it, a person must look: the customer is then not told of a refund.
    Likewise if it would say what the customer's bank returns, and the dispute is not lost any more, or with another amount; or what went to the card, and a part of that has failed.
    """
    with begin() as session:
        order = take(session, order_id, THIS)
        ends_as = _ends_as(session, order)
        if ends_as is None:
            recording.advance(session, order, "refund_failed", to=Step.REFUND_PAYMENT)
            attention.park(session, order.id, error="the refund failed after the provider had accepted it")
            return Outcome.STOPPED
    reach("send_refund_notice.claimed")
    mailing.deliver(order, [LetterKind.REFUND_NOTICE])
    reach("send_refund_notice.called")
    with begin() as session:
        recording.stop(session, order, Ending(ends_as, reason=order.reason))
    return Outcome.DONE


def _ends_as(session: Session, order: Order) -> OrderStatus | None:
    """None if money was charged and is not being refunded."""
    charge = refunded.succeeded_charge(session, order)
    if charge is not None:
        return OrderStatus.REFUNDED if refunded.is_refunded(session, charge) else None
    return OrderStatus.CANCELLED if order.cancel_requested_at is not None else OrderStatus.REJECTED
