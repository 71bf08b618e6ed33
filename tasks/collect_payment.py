"""Charge once, or invoice on an accepted VAT number, or find that nothing is due.

The attempt and its key are committed before the provider is asked: `outside` commits what `carry` left open.
"""

from uuid import UUID

from sqlalchemy.orm import Session

from models import lease, order_cache, progress
from models.accounts import PaymentMethod
from models.ending import Ending
from models.orders import Order
from models.payments import ChargeAttempt
from models.rules.quote import needs_payment_details
from models.rules.refusals import RefusalCode
from models.states import AttemptStatus, OrderStatus, PaymentKind, Step
from tasks import cancellation, display_names
from tasks.charges import charge_answers, charge_attempts, charge_calls, charging
from tasks.charges.charging import Plan
from tasks.errors import Refused
from tasks.failure_points import reach
from tasks.quotes import fresh_quote
from tasks.running.outcome import Outcome
from tasks.step import done, step, stop, take, turn_back
from tasks.vat import vat_check
from tasks.wiring import begin, carry, now, outside, policy, vat_registry

THIS = Step.COLLECT_PAYMENT


@step
def collect_payment(order_id: UUID) -> Outcome:
    """Charge what the quote says, once; a second delivery finds the order paid and leaves it alone."""
    with carry() as session:
        order = take(session, order_id, THIS)
        number = _number_to_check(session, order)
    reach("collect_payment.claimed")
    if number is not None and (ended := _ask_registry(order, number)):
        return ended
    with carry() as session:
        planned = _plan(session, order)
    if isinstance(planned, Outcome):
        return planned
    try:
        with outside():
            reach("collect_payment.calling")
            charge = charge_calls.request_charge(order, planned)
    except Refused as refusal:
        with begin() as session:
            return charge_answers.record_refusal(session, order, planned.attempt, refusal.code)
    reach("collect_payment.called")
    return charge_answers.act_on(order, planned.attempt, charge)


def _number_to_check(session: Session, order: Order) -> str | None:
    """The VAT number to check before charging; None once there is a charge attempt to settle, or the order is to be cancelled."""
    if order.vat_number is None or order.cancel_requested_at is not None:
        return None
    if charge_attempts.live(session, order.id) is not None:
        return None
    return vat_check.reuse_or_number_to_ask(session, order)


def _ask_registry(order: Order, number: str) -> Outcome | None:
    """Ask whether the number is valid, and act on the answer; None: go on and charge."""
    with outside():
        answer = vat_registry().check(number, requester=policy().seller.requester)
    with begin() as session:
        return vat_check.record(session, order, answer)


def _plan(session: Session, order: Order) -> Plan | Outcome:
    """Begin an attempt if none is under way, and say what to ask the provider about it; an Outcome where there is nothing to ask."""
    lease.require_ours(session, order)
    standing = charge_attempts.standing_of(session, order)
    attempt = standing.attempt
    if attempt is None:
        if ended := cancellation.stop_if_cancelled(session, order):
            return ended
        if standing.credits_taken:
            return turn_back(session, order, RefusalCode.PAYMENT_DISPUTED.value)
        if standing.credits_refunded:
            return turn_back(session, order, RefusalCode.PAYMENT_REFUNDED.value)
        if fresh_quote.we_are_late(order):
            return fresh_quote.propose(session, order, lines=order_cache.lines(session, order), differs=["period"])
        begun = _begin_payment(session, order, standing.method)
        if isinstance(begun, Outcome):
            return begun
        attempt = begun
    if attempt.status is AttemptStatus.SUCCEEDED:
        return _already_taken(session, order)
    display_names.keep_card(order, standing.method)
    return charging.plan_and_mark(session, order, attempt, standing)


def _begin_payment(session: Session, order: Order, method: PaymentMethod | None) -> ChargeAttempt | Outcome:
    if method is not None and order.due_minor > 0:
        return charge_attempts.begin(session, order, method.id)
    details_given = method is not None or vat_check.accepted(order)
    actions = [line.action for line in order_cache.lines(session, order)]
    if order.due_minor == 0 and (details_given or not needs_payment_details(order.total_minor, actions)):
        progress.set_payment(session, order, PaymentKind.NOTHING_DUE)
        return done(session, order, facts={"charged_minor": 0})
    if order.due_minor > 0 and policy().invoice_on_vat and vat_check.accepted(order):
        due_at = now() + policy().payment_terms
        progress.set_payment(session, order, PaymentKind.INVOICE, due_at=due_at)
        return done(session, order, facts={"invoiced_minor": order.due_minor})
    waits = Ending(
        OrderStatus.AWAITING_PAYMENT_DETAILS,
        reason="payment-details-missing",
        wake_in=policy().waiting_lifetime,
    )
    return stop(session, order, waits)


def _already_taken(session: Session, order: Order) -> Outcome:
    if order.cancel_requested_at is not None:
        return turn_back(session, order, cancellation.reason(session, order))
    return done(session, order, facts={"charged_minor": order.due_minor})
