"""Money found under an attempt's key that is of another amount than is due: it was taken for an earlier state of the order.

A database restored from a backup has forgotten that charge, and the amount has changed since: its customer has confirmed a fresh quote.
The money goes back first. Until it is back the attempt stays under way, so no other begins: never do two charges of an order both stand.
If the order is to be cancelled meanwhile, it turns back instead, and `refund_payment` gives the charge back.
"""

import structlog
from sqlalchemy.orm import Session

from models import attention, lease, timeline
from models.orders import Order
from models.payments import ChargeAttempt, RefundAttempt
from models.rules.currency import format_amount
from models.states import AttemptStatus
from models.timeline_kinds import Kind
from tasks import cancellation
from tasks.charges import charge_attempts
from tasks.errors import RefundRefused, StepAgain
from tasks.failure_points import reach
from tasks.ports import Charge, ChargeStatus
from tasks.refunds import refunding
from tasks.refunds.refunding import Answer
from tasks.running.outcome import Outcome
from tasks.step import turn_back
from tasks.wiring import begin, outside

log = structlog.get_logger(__name__)


def is_outdated(order: Order, charge: Charge) -> bool:
    """Whether the charge took money, and not what is due."""
    sum_due = (order.due_minor, order.currency)
    return charge.status is ChargeStatus.SUCCEEDED and (charge.amount_minor, charge.currency) != sum_due


def refund_and_void(order: Order, attempt: ChargeAttempt, charge: Charge) -> Outcome:
    """Refund an outdated charge and void its attempt; the next delivery begins another, of what is due. Parks the order if the refund fails.

    Raises LeaseLost; Misconfigured if the provider refuses; TemporarilyUnavailable; StepAgain once the money is back.
    """
    with begin() as session:
        begun = _begin(session, order, attempt, charge)
    if isinstance(begun, Outcome):
        return begun
    with outside():
        reach("collect_payment.calling")
        try:
            answer = refunding.request_refund(begun, charge_ref=charge.ref)
        except RefundRefused as refused:
            how = f"Before you record that it was given back by other means, run `prorata orders cancel {order.number}`"
            raise RefundRefused(f"{refused}. {how}") from refused
        failed = refunding.why_failed(begun, answer, charge_ref=charge.ref)
    reach("collect_payment.called")
    with begin() as session:
        ended = _record(session, order, attempt, charge, begun, answer, failed=failed)
    if ended:
        return ended
    raise StepAgain(f"the charge under {attempt.key} was of another amount and is back; beginning another")


def _begin(session: Session, order: Order, attempt: ChargeAttempt, charge: Charge) -> RefundAttempt | Outcome:
    """Record the charge as it is, and that its refund begins; or turn back, if the order is to be cancelled."""
    lease.require_ours(session, order)
    facts = {"attempt": attempt.attempt, "amount_minor": charge.amount_minor}
    if timeline.note_once(session, order.id, Kind.CHARGE_UNEXPECTED, facts):
        log.error("charge of another amount goes back", order_id=str(order.id), charge=charge.ref)
    taken = session.get_one(ChargeAttempt, (order.id, attempt.attempt))
    taken.ref, taken.amount_minor, taken.currency = charge.ref, charge.amount_minor, charge.currency
    session.flush()
    if order.cancel_requested_at is not None:
        return _turn_back(session, order, attempt, charge)
    return refunding.start(session, order, taken, amount_minor=charge.amount_minor, reason="unexpected-charge")


def _record(
    session: Session,
    order: Order,
    attempt: ChargeAttempt,
    charge: Charge,
    refund: RefundAttempt,
    answer: Answer,
    *,
    failed: str | None,
) -> Outcome | None:
    """Record the refund, and that the attempt is over. An Outcome if the order does not go on; if the refund failed, its attempt stays under way.

    failed: what to tell a person of a refund that has.
    """
    lease.require_ours(session, order)
    refunding.record(session, refund, answer)
    if failed is not None:
        error = (
            f"{failed}. Charge {charge.ref} is of {format_amount(charge.amount_minor, charge.currency)}, "
            f"not of what is due, {format_amount(order.due_minor, order.currency)}: resume the order to give it back once more, "
            "or cancel the order"
        )
        attention.park(session, order.id, error=error, token=order.lease_token)
        return Outcome.STOPPED
    if order.cancel_requested_at is not None:
        return _turn_back(session, order, attempt, charge)
    charge_attempts.settle(session, order, attempt, AttemptStatus.VOID, charge)
    return None


def _turn_back(session: Session, order: Order, attempt: ChargeAttempt, charge: Charge) -> Outcome:
    """The order is to be cancelled: it ends as any that was charged, and its customer is told what goes back."""
    charge_attempts.settle(session, order, attempt, AttemptStatus.SUCCEEDED, charge)
    return turn_back(session, order, cancellation.reason(session, order))
