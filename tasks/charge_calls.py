"""Makes one planned request to the provider, and finds out what became of one that got no clear answer."""

from typing import NoReturn

from models.orders import Order
from tasks import charge_attempts
from tasks.charging import Move, Plan
from tasks.errors import KeySpent, OutcomeUnknown, PaymentMethodRefused, TemporarilyUnavailable
from tasks.ports import UNDER_WAY, Charge, ChargeStatus
from tasks.wiring import begin, now, payments


def ask(order: Order, planned: Plan) -> Charge:
    """Make the planned request; returns the provider's charge. Raises Refused; TemporarilyUnavailable or OutcomeUnknown without a clear answer."""
    request = planned.request
    ref = planned.attempt.ref
    match planned.move:
        case Move.RETRIEVE if ref is not None:
            return payments().retrieve_charge(ref)
        case Move.LAST_LOOK if ref is not None:
            return _last_look(ref)
        case Move.CANCEL if ref is not None:
            return payments().cancel_charge(ref)
        case Move.FIND:
            return _find(order, planned) or _never_made(order, planned)
        case Move.FIND_OR_CHARGE:
            return _find(order, planned) or _charge(order, planned)
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
        return payments().charge(request)
    except PaymentMethodRefused as refused:
        return Charge(
            ref="",
            status=ChargeStatus.DECLINED,
            amount_minor=request.amount_minor,
            currency=request.currency,
            decline_code=refused.code,
        )
    except KeySpent as spent:
        return _find(order, planned) or _never_made(order, planned, failed_just_now=spent.just_now)
    except OutcomeUnknown:
        found = _find(order, planned)
        if found is None:
            raise
        return found


def _find(order: Order, planned: Plan) -> Charge | None:
    """The attempt's charge among the customer's, by metadata."""
    found = payments().find_charges(customer_ref=planned.request.customer_ref, order_id=order.id)
    return next((charge for charge in found if charge.attempt == planned.attempt.attempt), None)


def _never_made(order: Order, planned: Plan, *, failed_just_now: bool = False) -> NoReturn:
    """The provider has no such charge: end the attempt and let the next delivery begin another, unless a request may still be under way.

    Raises TemporarilyUnavailable in either case.
    """
    asked_at = planned.attempt.asked_at or planned.attempt.created_at
    if failed_just_now or (planned.move is Move.FIND and asked_at > now() - UNDER_WAY):
        wait = UNDER_WAY.total_seconds()
        raise TemporarilyUnavailable("a request to the provider may still be under way", retry_after=wait)
    with begin() as session:
        charge_attempts.void(session, order, planned.attempt)
    raise TemporarilyUnavailable(f"the provider has no charge under {planned.attempt.key}; beginning another")
