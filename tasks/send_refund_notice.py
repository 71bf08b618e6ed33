"""The way back, step 2: the customer is told, and the order ends."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import progress
from models.orders import Order
from models.payments import RefundAttempt
from models.states import LetterKind, OrderStatus, RefundState, Step
from tasks import posting
from tasks.failure_points import reach
from tasks.step import Outcome, step, take, why_not
from tasks.wiring import begin

THIS = Step.SEND_REFUND_NOTICE


@step
def send_refund_notice(order_id: UUID) -> Outcome:
    """Say what went back and why. The order ends as refunded; as cancelled or rejected where nothing had been charged."""
    with begin() as session:
        order = take(session, order_id, THIS)
    if order is None:
        return why_not(order_id, THIS)
    reach("send_refund_notice.claimed")
    posting.deliver(order, [LetterKind.REFUND_NOTICE])
    reach("send_refund_notice.called")
    with begin() as session:
        progress.stop(session, order, THIS, _ending(session, order), reason=order.reason)
    return Outcome.DONE


def _ending(session: Session, order: Order) -> OrderStatus:
    refunded = select(RefundAttempt.attempt).where(
        RefundAttempt.order_id == order.id, RefundAttempt.status == RefundState.SUCCEEDED
    )
    if session.scalar(refunded) is not None:
        return OrderStatus.REFUNDED
    return OrderStatus.CANCELLED if order.cancel_requested_at is not None else OrderStatus.REJECTED
