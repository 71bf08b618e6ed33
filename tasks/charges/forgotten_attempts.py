"""Attempts after the one that is looked up, whose charges the provider has. Only a database restored from a backup has forgotten them.

The order's charge is that of the last. So the attempt that is looked up is given up, and the next begins with it, in one transaction: an
order that waited or ended between the two would never find that charge. What the attempt took goes back, as all that arrives on one given up.
"""

from collections.abc import Iterable
from datetime import timedelta

import structlog

from models.orders import Order
from models.payments import ChargeAttempt
from tasks.charges import charge_attempts, charge_news, late_charges
from tasks.charges.unexpected_money import RefundFailed
from tasks.errors import Misconfigured, StepAgain, TemporarilyUnavailable
from tasks.ports import TAKES, Charge, ChargeStatus
from tasks.wiring import begin, payments

log = structlog.get_logger(__name__)

MOST = 50
"""attempts after the one that is looked up. What claims a number beyond was made by somebody else, with metadata that were copied"""

_MAY_BE_CANCELED = (ChargeStatus.UNTRIED, ChargeStatus.REQUIRES_ACTION)


def give_way_to_later(found: Iterable[Charge], order: Order, attempt: ChargeAttempt, charge: Charge | None) -> None:
    """Begin the next attempt where the order's charge is a later one's. Raises StepAgain then.

    found: the order's charges at the provider. charge: the attempt's own.
    """
    if _is_the_orders(found, attempt, charge):
        _begin_next(order, attempt, charge)
        raise StepAgain(f"the provider has a later charge than {attempt.key}; looking it up")


def _is_the_orders(found: Iterable[Charge], attempt: ChargeAttempt, charge: Charge | None) -> bool:
    """Whether the order's charge is one of those after the attempt's: it has taken money that is not all back, or may yet take some.

    charge: the attempt's own. If that took nothing, a later one that is all back is the order's: it was refunded before.
    """
    took = charge is not None and charge.status is ChargeStatus.SUCCEEDED
    return any(
        later.status in TAKES and not (later.refunded and took)
        for later in found
        if later.attempt is not None and 0 < later.attempt - attempt.attempt <= MOST
    )


def _begin_next(order: Order, attempt: ChargeAttempt, charge: Charge | None) -> None:
    """Give the attempt up for the next one, which finds the later charge if it has the number; otherwise it is given up in turn.

    charge: the attempt's own. Raises LeaseLost; TemporarilyUnavailable if it is not known yet what that took.
    """
    if charge is not None and charge.status in _MAY_BE_CANCELED:
        charge = payments().cancel_charge(charge.ref)
    if charge is not None and charge.status is ChargeStatus.PROCESSING:
        raise TemporarilyUnavailable(f"a later charge than {attempt.key} is known, and {charge.ref} is being processed")
    took = charge is not None and charge.status is ChargeStatus.SUCCEEDED
    with begin() as session:
        charge_attempts.void(session, order, attempt)
        late_charges.watch(session, attempt, in_=timedelta(0) if took else late_charges.LATER)
        charge_attempts.begin(session, order, attempt.payment_method_id)
    log.warning("a later charge is looked up", order_id=str(order.id), instead_of=attempt.key)
    if charge is not None and took:
        _give_back_what_it_took(charge)


def _give_back_what_it_took(charge: Charge) -> None:
    try:
        charge_news.handle(charge.ref)
    except (RefundFailed, Misconfigured) as error:  # `late_charges` tries again; the order need not wait for that
        log.warning("a charge given up goes back later", charge=charge.ref, error=str(error))
