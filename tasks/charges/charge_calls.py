"""Makes one planned request to the provider, and looks up the result of one that got no clear answer."""

import time
from collections.abc import Sequence
from dataclasses import replace

from models import lease
from models.orders import Order
from models.rules.currency import format_amount
from tasks.charges import charge_attempts, forgotten_attempts, late_charges
from tasks.charges.charging import Move, Plan
from tasks.errors import (
    KeyReused,
    KeySpent,
    Misconfigured,
    OutcomeUnknown,
    PaymentMethodRefused,
    StepAgain,
    TemporarilyUnavailable,
)
from tasks.failure_points import reach
from tasks.ports import TAKES, UNDER_WAY, Charge, ChargeStatus
from tasks.wiring import begin, now, payments


def request_charge(order: Order, planned: Plan) -> Charge:
    """Make the planned request; returns the provider's charge, which a bank was asked about.

    Raises Refused; TemporarilyUnavailable or OutcomeUnknown without a clear answer; StepAgain once another attempt is to be charged.
    """
    charge = _asked(order, planned)
    if charge.status is ChargeStatus.UNTRIED:
        # An answer to our own request, or to one about a charge that was tried before: the provider drops an error once somebody edits the charge.
        return replace(charge, status=ChargeStatus.DECLINED)
    return charge


def _asked(order: Order, planned: Plan) -> Charge:
    request = planned.request
    ref = planned.attempt.ref
    match planned.move:
        case Move.RETRIEVE if ref is not None:
            return _or_give_way(order, planned, payments().retrieve_charge(ref))
        case Move.LAST_LOOK if ref is not None:
            return _or_give_way(order, planned, _last_look(ref))
        case Move.CANCEL if ref is not None:
            return _or_give_way(order, planned, payments().cancel_charge(ref))
        case Move.FIND:
            return _look_up(order, planned, may_be_under_way=_may_be_under_way(planned))
        case Move.FIND_OR_CHARGE:
            return _find_tried(order, planned) or _charge(order, _planned_anew(order, planned))
        case Move.CHARGE:
            return _charge(order, planned)
    raise AssertionError(f"{planned.move} needs the provider's id of {request.key}")


def _last_look(ref: str) -> Charge:
    """The charge, cancelled if it still waits for the customer. One that is paid between the two requests counts as paid."""
    charge = payments().retrieve_charge(ref)
    return payments().cancel_charge(ref) if charge.status is ChargeStatus.REQUIRES_ACTION else charge


def _charge(order: Order, planned: Plan) -> Charge:
    """Create and confirm; the same key again gives the same charge. After an unclear answer the charge is looked up."""
    request = planned.request
    try:
        charge = _as_requested(payments().charge(request), planned)
    except PaymentMethodRefused as refused:  # it may be new, though an earlier request under this key was declined
        declined = Charge(
            ref="",
            status=ChargeStatus.DECLINED,
            amount_minor=request.amount_minor,
            currency=request.currency,
            decline_code=refused.code,
        )
        return _or_give_way(order, planned, declined)
    except KeySpent as spent:
        reach("collect_payment.key_spent")
        # Whoever was told `just_now` may have died of something else since: what remains of that is when the request was made.
        return _look_up(order, planned, may_be_under_way=spent.just_now or _may_be_under_way(planned))
    except KeyReused:  # a setting or a release has changed what the request says; the key will never be accepted again
        return _look_up(order, planned, may_be_under_way=_may_be_under_way(planned))
    except OutcomeUnknown:
        found = _find_tried(order, planned)
        if found is None:
            raise
        return found
    return _or_give_way(order, planned, charge) if charge.made_before else charge


def _planned_anew(order: Order, planned: Plan) -> Plan:
    """The plan as of now: a search among many charges may take longer than one holds. Raises LeaseLost."""
    with begin() as session:
        lease.require_ours(session, order)
        charge_attempts.mark_asked(session, planned.attempt, now())
    return replace(planned, request=replace(planned.request, made_at=time.time()))


def _or_give_way(order: Order, planned: Plan, charge: Charge) -> Charge:
    """The attempt's charge, made a while ago: if it has come to nothing, a later one may have paid the order, which only a restored database forgets.

    Raises StepAgain then: the next attempt has begun.
    """
    if charge.refunded or charge.status not in TAKES:
        forgotten_attempts.give_way_to_later(_made(order, planned), order, planned.attempt, charge)
    return charge


def _as_requested(charge: Charge, planned: Plan) -> Charge:
    """The provider's answer to the request itself. Raises Misconfigured if it is of another amount: then it is no use to ask for another charge."""
    if charge.status is not ChargeStatus.DECLINED and not _is_of_the_amount(charge, planned):
        raise Misconfigured(
            f"charge {charge.ref} is of {format_amount(charge.amount_minor, charge.currency)}, "
            f"attempt {planned.request.key} of {format_amount(planned.request.amount_minor, planned.request.currency)}"
        )
    return charge


def _is_of_the_amount(charge: Charge, planned: Plan) -> bool:
    request = planned.request
    return (charge.amount_minor, charge.currency) == (request.amount_minor, request.currency)


def _look_up(order: Order, planned: Plan, *, may_be_under_way: bool) -> Charge:
    """The attempt's charge, where its request will not be made again.

    If there is none, or none that a bank was or will be asked about, end the attempt and let the next delivery begin another, unless the
    request may still be under way. Raises StepAgain where the attempt is ended, TemporarilyUnavailable where it waits.
    """
    charge = _find_or_give_way(order, planned)
    if charge is not None and charge.status is ChargeStatus.UNTRIED and not may_be_under_way:
        charge = payments().cancel_charge(charge.ref)
    if charge is not None and charge.status not in (ChargeStatus.UNTRIED, ChargeStatus.CANCELED):
        return charge
    if may_be_under_way:
        wait = UNDER_WAY.total_seconds()
        raise TemporarilyUnavailable("a request to the provider may still be under way", retry_after=wait)
    with begin() as session:
        charge_attempts.void(session, order, planned.attempt)
        late_charges.watch(session, planned.attempt)
    raise StepAgain(f"the provider has no charge under {planned.attempt.key}; beginning another")


def _find_tried(order: Order, planned: Plan) -> Charge | None:
    """The attempt's charge; None if no bank was asked, or it is not known yet: then repeat the same request."""
    charge = _find_or_give_way(order, planned)
    return None if charge is None or charge.status is ChargeStatus.UNTRIED else charge


def _find_or_give_way(order: Order, planned: Plan) -> Charge | None:
    """The attempt's charge among the customer's, by metadata; one that was tried before one that was not.

    One of another amount, on another card perhaps, does not count if it was declined or cancelled, and is cancelled if it still waits for the customer.
    Raises StepAgain where the order's charge is a later attempt's: the next has begun.
    """
    found = _made(order, planned)
    ours = [charge for charge in found if charge.attempt == planned.attempt.attempt and _counts(charge, planned)]
    charge = min(ours, key=lambda charge: charge.status is ChargeStatus.UNTRIED, default=None)
    forgotten_attempts.give_way_to_later(found, order, planned.attempt, charge)
    return None if charge is None else _cancel_if_of_another_amount(charge, planned)


def _cancel_if_of_another_amount(charge: Charge, planned: Plan) -> Charge | None:
    """Cancel the charge if it waits for the customer and is of another amount than is due. None if it does not count then."""
    if charge.status is not ChargeStatus.REQUIRES_ACTION or _is_of_the_amount(charge, planned):
        return charge
    ended = payments().cancel_charge(charge.ref)
    return ended if _counts(ended, planned) else None


def _made(order: Order, planned: Plan) -> Sequence[Charge]:
    return payments().find_charges(customer_ref=planned.request.customer_ref, order_id=order.id, since=order.created_at)


def _counts(charge: Charge, planned: Plan) -> bool:
    return charge.status not in (ChargeStatus.DECLINED, ChargeStatus.CANCELED) or _is_of_the_amount(charge, planned)


def _may_be_under_way(planned: Plan) -> bool:
    """Whether the provider may still be at an earlier request for this charge."""
    return planned.last_asked > now() - UNDER_WAY
