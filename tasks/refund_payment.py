"""The way back, step 1: what was charged for an order that cannot stand goes back, once."""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models import progress
from models.orders import Order
from models.payments import ChargeAttempt, RefundAttempt
from models.states import AttemptStatus, RefundState, Step
from tasks.errors import KeySpent, Misconfigured, OutcomeUnknown, Refused, TemporarilyUnavailable
from tasks.failure_points import reach
from tasks.ports import Refund, RefundRequest, RefundStatus
from tasks.step import Outcome, step, take, why_not
from tasks.wiring import begin, now, payments, policy

THIS = Step.REFUND_PAYMENT


@step
def refund_payment(order_id: UUID) -> Outcome:
    """Give back the whole charge under a key of its own; where nothing was charged there is nothing to do."""
    with begin() as session:
        order = take(session, order_id, THIS)
        request = _request(session, order) if order is not None else None
    if order is None:
        return why_not(order_id, THIS)
    reach("refund_payment.claimed")
    if request is None:
        with begin() as session:
            progress.advance(session, order, THIS, Outcome.DONE, facts={"refunded_minor": 0})
        return Outcome.DONE
    reach("refund_payment.calling")
    refund = _ask_provider(request)
    reach("refund_payment.called")
    with begin() as session:
        return _record(session, order, request, refund)


def _request(session: Session, order: Order) -> RefundRequest | None:
    """The refund to ask for, its row written; None where nothing was charged, or all of it is back."""
    charge = session.scalar(
        select(ChargeAttempt).where(ChargeAttempt.order_id == order.id, ChargeAttempt.status == AttemptStatus.SUCCEEDED)
    )
    if charge is None or charge.ref is None:
        return None
    before = session.scalars(select(RefundAttempt).where(RefundAttempt.order_id == order.id)).all()
    if any(refund.status is RefundState.SUCCEEDED for refund in before):
        return None
    live = next((refund for refund in before if refund.status is RefundState.PENDING), None)
    if live is None:
        live = _new(session, order, charge, number=len(before) + 1)
    return RefundRequest(
        order_id=order.id,
        attempt=live.attempt,
        key=live.key,
        charge_ref=charge.ref,
        amount_minor=live.amount_minor,
        currency=live.currency,
    )


def _new(session: Session, order: Order, charge: ChargeAttempt, *, number: int) -> RefundAttempt:
    refund = RefundAttempt(
        order_id=order.id,
        attempt=number,
        charge_attempt=charge.attempt,
        key=f"order:{order.id}:refund:{number}",
        amount_minor=charge.amount_minor,
        currency=charge.currency,
        reason=order.reason or "refund",
        status=RefundState.PENDING,
        created_at=now(),
    )
    session.add(refund)
    session.flush()
    progress.note(session, order.id, "refund.attempted", {"attempt": number, "amount_minor": refund.amount_minor})
    return refund


def _ask_provider(request: RefundRequest) -> Refund:
    """The provider's word on the refund; a doubtful one is looked up among the charge's refunds first."""
    if _key_may_be_forgotten(request) and (found := _find(request)) is not None:
        return found
    try:
        return payments().refund(request)
    except Refused as refused:
        found = _find(request)
        if found is None:
            raise Misconfigured(f"the provider refuses to refund {request.charge_ref}: {refused}") from refused
        return found
    except KeySpent as spent:
        found = _find(request)
        if found is None:
            _fail(request)
            raise TemporarilyUnavailable("the refund's key is spent; beginning another") from spent
        return found
    except OutcomeUnknown:
        found = _find(request)
        if found is None:
            raise
        return found


def _find(request: RefundRequest) -> Refund | None:
    refunds = payments().find_refunds(charge_ref=request.charge_ref)
    return next((r for r in refunds if r.status is not RefundStatus.FAILED), None)


def _key_may_be_forgotten(request: RefundRequest) -> bool:
    with begin() as session:
        created_at = session.scalar(select(RefundAttempt.created_at).where(RefundAttempt.key == request.key))
    return created_at is not None and created_at < now() - policy().charge_key_lifetime


def _fail(request: RefundRequest) -> None:
    with begin() as session:
        session.execute(update(RefundAttempt).where(RefundAttempt.key == request.key).values(status=RefundState.FAILED))


def _record(session: Session, order: Order, request: RefundRequest, refund: Refund) -> Outcome:
    progress.still_ours(session, order)
    state = {
        RefundStatus.SUCCEEDED: RefundState.SUCCEEDED,
        RefundStatus.PENDING: RefundState.SUCCEEDED,
        RefundStatus.FAILED: RefundState.FAILED,
    }[refund.status]
    session.execute(
        update(RefundAttempt)
        .where(RefundAttempt.key == request.key)
        .values(status=state, ref=refund.ref, settled_at=func.clock_timestamp())
    )
    if state is RefundState.FAILED:
        progress.note(session, order.id, "refund.failed", {"reason": refund.failure_reason})
        progress.park(session, order.id, error=f"refund {refund.ref} failed: {refund.failure_reason}")
        return Outcome.STOPPED
    progress.advance(session, order, THIS, Outcome.DONE, facts={"refunded_minor": refund.amount_minor})
    return Outcome.DONE
