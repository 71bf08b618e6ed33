"""The way back begins: refund, once, what was charged for an order that cannot be fulfilled or is to be undone."""

from uuid import UUID

from sqlalchemy.orm import Session

from models import attention, lease
from models.orders import Order
from models.payments import ChargeAttempt, RefundAttempt
from models.states import Step
from tasks.billing import invoicing, receivables
from tasks.errors import Misconfigured
from tasks.failure_points import reach
from tasks.refunds import refunded, refunding
from tasks.running.outcome import Outcome
from tasks.step import done, step, take
from tasks.wiring import begin, outside

THIS = Step.REFUND_PAYMENT


@step
def refund_payment(order_id: UUID) -> Outcome:
    """Refund the whole charge under a key of its own; if nothing was charged, or it is back already, there is nothing to do."""
    with begin() as session:
        order = take(session, order_id, THIS)
        begun = _begin(session, order)
    reach("refund_payment.claimed")
    if begun is None:
        with begin() as session:
            lease.require_ours(session, order)
            _reverse_documents(session, order)
            return done(session, order, facts={"refunded_minor": refunded.refunded_minor(session, order.id)})
    charge, attempt = begun
    with outside():
        reach("refund_payment.calling")
        answer = refunding.request_refund(attempt, charge_ref=_ref(charge))
        failed = refunding.why_failed(attempt, answer, charge_ref=_ref(charge))
    reach("refund_payment.called")
    with begin() as session:
        lease.require_ours(session, order)
        refunding.record(session, attempt, answer)
        if failed is not None:
            attention.park(session, order.id, error=failed, token=order.lease_token)
            return Outcome.STOPPED
        _reverse_documents(session, order)
        return done(session, order, facts={"refunded_minor": attempt.amount_minor})


def _begin(session: Session, order: Order) -> tuple[ChargeAttempt, RefundAttempt] | None:
    """The charge to refund, and the row of its refund; None if nothing was charged, or it was refunded."""
    charge = refunded.succeeded_charge(session, order)
    if charge is None or refunded.is_refunded(session, charge):
        return None
    reason = order.reason or "refund"
    return charge, refunding.start(session, order, charge, amount_minor=charge.amount_minor, reason=reason)


def _ref(charge: ChargeAttempt) -> str:
    if charge.ref is None:
        raise Misconfigured(f"charge {charge.key} succeeded, but nobody wrote down what the provider calls it")
    return charge.ref


def _reverse_documents(session: Session, order: Order) -> None:
    """Return what was paid by transfer on the order's documents, and reverse them. The caller has locked the order's row.

    In this sequence the account is locked before the series of documents, as in activations and corrections.
    """
    receivables.return_to_balance(session, order)
    invoicing.issue_credit_note(session, order)
