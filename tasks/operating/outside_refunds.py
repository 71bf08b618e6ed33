"""Record that what an order was charged was given back outside the provider: by other means, or by the customer's bank. Of unexpected charges: `unexpected_refunds`."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from models import disputed_charges
from models.orders import Order
from models.payments import ChargeAttempt
from models.rules.currency import format_amount
from models.states import OrderStatus, Step
from tasks.errors import Misconfigured, Refused, TemporarilyUnavailable
from tasks.operating import dispute_settlements, outside_records, owed_since, support_refund
from tasks.operating.order_at_hand import NotPossible, completed, disputed, let_it_complete, locked
from tasks.operating.resumption import Resumption, resume
from tasks.ports import Dispute
from tasks.refunds import disputes, refunded
from tasks.vat import vat_at_bank
from tasks.wiring import begin, now

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """That a charge was given back outside the provider."""

    owed_minor: int | None
    """what was owed of it: what neither the provider nor the bank gave back; None if that is not known"""
    vat_minor: int
    """VAT that a person may have paid before, as they were told to, which is a part of that; whether they did is recorded nowhere"""
    currency: str
    provider_asked: bool = True
    """if not, a person must look there"""


def settle(order_id: UUID, *, by: str, why: str, rest_paid: bool = False, paid: str | None = None) -> Recorded:
    """Record that the whole charge was refunded outside the provider; the order, parked at `refund_payment`, goes on from there.

    What the provider has refunded is noted, even if this is refused, as it is if the provider has refunded all of the charge.
    Of a completed order the charge must have been taken back by the customer's bank, or refunded but for VAT: what it bought ends then, too.
    Once more, if the customer is owed more since it was recorded (`owed_since`).
    rest_paid: if the bank took a part for good, or VAT was left to a person, the rest was paid by other means. paid: how much, if a person says: refused if that is not owed. Raises NotPossible; TemporarilyUnavailable, Misconfigured, Refused: the provider could
    not be asked about a completed order, or about a charge that the bank has taken back by what is noted here.
    """
    with begin() as session:
        bought = completed(session, order_id)
        recorded = None if bought else owed_since.recorded(session, order_id)
        order, charge = bought or recorded or _to_settle(session, order_id)
        taken_back = disputed_charges.was_taken_back(session, order_id)
        newest = disputes.newest_entry(session, order_id)
    if bought:
        return _settle_dispute(order, charge, by=by, why=why, rest_paid=rest_paid, paid=paid, newest=newest)
    if recorded:
        since = owed_since.settle(order, charge, by=by, why=why, rest_paid=rest_paid, paid_now=paid, newest=newest)
        return Recorded(owed_minor=since, vat_minor=0, currency=charge.currency)
    asked, back = True, 0
    try:
        back = outside_records.went_back_minor(charge)
        if back >= charge.amount_minor:
            raise NotPossible(
                f"the provider has given back what order {order.number} was charged; resume it instead, which records that"
            )
        found, owed = disputed(charge)
    except (TemporarilyUnavailable, Misconfigured, Refused) as error:
        if taken_back:  # who has the money, and all of it, is not to be guessed
            raise
        log.warning("the provider could not be asked", order_id=str(order_id), error=type(error).__name__)
        asked = False
        found, owed = (), 0
    left = outside_records.left_minor(order, charge, found, owed_minor=owed, back_minor=back) if asked else None
    vat = _payable_vat(order, charge)
    _require_rest_paid(order, charge, found, owed_minor=owed, vat_minor=vat, rest_paid=rest_paid)
    outside_records.require_paid(charge, f"what order {order.number} was charged", left, paid=paid)
    with begin() as session:
        order, charge = _to_settle(session, order_id)
        by_bank = _returned_by_bank(found, charge)
        outside_records.record(
            session, order, charge, by=by, why=why, by_bank=by_bank, found=found, newest=newest, owed_minor=left
        )
        resume(session, order_id, Resumption(Step.REFUND_PAYMENT, Step.REFUND_PAYMENT), by=by)
    return Recorded(
        owed_minor=left,
        vat_minor=vat if left is None else min(left, vat),
        currency=charge.currency,
        provider_asked=asked,
    )


def _settle_dispute(
    order: Order, charge: ChargeAttempt, *, by: str, why: str, rest_paid: bool, paid: str | None, newest: int | None
) -> Recorded:
    """End what a completed order bought, whose charge the customer's bank has taken back for good. Raises NotPossible.

    The same for one whose dispute was won: the provider no longer refunds that, so a person did by other means. And for one of which no more
    than VAT is left that was to be paid so, if a person says that it was.
    """
    back = outside_records.went_back_minor(charge)
    if back >= charge.amount_minor:
        raise NotPossible(
            f"the provider has given back what order {order.number} was charged: run `prorata orders refund {order.number}`, which records that"
        )
    found, owed = disputed(charge)
    vat = _payable_vat(order, charge)
    if disputes.in_the_way(found) is None and not (rest_paid and charge.amount_minor - back <= vat):
        raise NotPossible(
            f"the provider can still refund what order {order.number} was charged: run `prorata orders refund {order.number}`"
        )
    left = outside_records.left_minor(order, charge, found, owed_minor=owed, back_minor=back)
    with begin() as session:
        locked(session, order.id)
        dispute_settlements.require_none(session, order, charge, found, owed_minor=owed)
        support_refund.end_disputed(session, order.id, by=by, why=why, now=now())
        # Only then, as nobody is to pay the rest of what can never be ended.
        _require_rest_paid(order, charge, found, owed_minor=owed, vat_minor=vat, rest_paid=rest_paid)
        outside_records.require_paid(charge, f"what order {order.number} was charged", left, paid=paid)
        by_bank = _returned_by_bank(found, charge)
        outside_records.record(
            session, order, charge, by=by, why=why, by_bank=by_bank, found=found, newest=newest, owed_minor=left
        )
    return Recorded(owed_minor=left, vat_minor=vat if left is None else min(left, vat), currency=charge.currency)


def _payable_vat(order: Order, charge: ChargeAttempt) -> int:
    """Call it once what the provider has refunded is noted."""
    with begin() as session:
        return vat_at_bank.payable_by_a_person(session, order, charge)


def _require_rest_paid(
    order: Order, charge: ChargeAttempt, found: Sequence[Dispute], *, owed_minor: int, vat_minor: int, rest_paid: bool
) -> None:
    """Raises NotPossible if the bank took a part for good, or a sum in another currency, and nobody says that the rest was paid; or if somebody does, and there is none."""
    if not outside_records.is_lost(found):
        return
    of_what, is_foreign = f"what order {order.number} was charged", disputes.is_foreign(found, charge.currency)
    if rest_paid:
        if not owed_minor and not is_foreign:
            raise NotPossible(
                f"{outside_records.taken(found, of_what)}, and no rest is left to pay: run it without --rest-paid"
            )
        return
    if owed_minor:
        raise NotPossible(
            disputes.why_not(order.number, found, owed_minor=owed_minor, vat_minor=vat_minor, currency=charge.currency)
        )
    if is_foreign:
        raise NotPossible(
            f"{outside_records.taken(found, of_what)}, which was {format_amount(charge.amount_minor, charge.currency)}: compare the sums. "
            "If that is less than all, pay the rest by other means; then, or if it is all, add --rest-paid"
        )


def _returned_by_bank(found: Sequence[Dispute], charge: ChargeAttempt) -> bool:
    """Whether the customer has all of the charge from the bank, for good. A sum in another currency counts as all of it."""
    return outside_records.is_lost(found) and not disputes.not_taken_minor(
        found, amount_minor=charge.amount_minor, currency=charge.currency
    )


def _to_settle(session: Session, order_id: UUID) -> tuple[Order, ChargeAttempt]:
    """The order, locked, and the charge whose refund is to be settled. Raises NotPossible."""
    order = locked(session, order_id)
    if first := let_it_complete(order):
        raise NotPossible(f"order {order.number} is {order.status}; {first}")
    charge = refunded.succeeded_charge(session, order)
    if order.status is not OrderStatus.NEEDS_ATTENTION:
        of_what = f"what order {order.number} was charged"
        before = outside_records.recorded_by(session, charge, of_what) if charge is not None else None
        raise NotPossible(before or f"order {order.number} does not need attention: it is {order.status}")
    if order.next_step is not Step.REFUND_PAYMENT:
        raise NotPossible(f"order {order.number} stands at {order.next_step}, where no refund is to be settled")
    if charge is None:
        raise NotPossible(f"order {order.number} charged no card, so there is nothing to settle; resume it instead")
    if refunded.is_refunded(session, charge):
        raise NotPossible(f"what order {order.number} was charged is back already; resume it instead")
    return order, charge
