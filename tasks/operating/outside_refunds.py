"""Record that an order's money was given back outside the provider: by other means, or by the customer's bank."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import disputed_charges, timeline
from models.orders import Order
from models.payments import ChargeAttempt
from models.rules.currency import format_amount
from models.states import ATTEMPT_UNDER_WAY, DisputeStatus, OrderStatus, Step
from models.timeline_kinds import Kind
from tasks.errors import Misconfigured, Refused, StepAgain, TemporarilyUnavailable
from tasks.operating import dispute_settlements, support_refund
from tasks.operating.order_at_hand import NotPossible, completed, disputed, let_it_complete, locked
from tasks.operating.resumption import Resumption, resume
from tasks.ports import Dispute
from tasks.refunds import disputes, refunded, refunding, refunds_elsewhere
from tasks.vat import vat_at_bank
from tasks.wiring import begin, now, payments

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """That a charge was given back outside the provider."""

    owed_minor: int | None
    """what was owed of it: what neither the provider nor the bank gave back; None if that is not known"""
    vat_minor: int
    """VAT that a person was told to pay before, which is a part of that; whether they did is recorded nowhere"""
    currency: str
    provider_asked: bool = True
    """if not, a person must look there"""


def settle(order_id: UUID, *, by: str, why: str, rest_paid: bool = False) -> Recorded:
    """`settle_refund`, unless the provider has refunded the charge after all.

    What it has refunded is noted, even if this is refused.
    Of a completed order the charge must have been taken back by the customer's bank, or refunded but for VAT: what it bought ends then, too.
    rest_paid: if the bank took a part for good, or VAT was left to a person, the rest was paid by other means. Raises NotPossible; TemporarilyUnavailable, Misconfigured, Refused: the provider could
    not be asked about a completed order, or about a charge that the bank has taken back by what is noted here.
    """
    with begin() as session:
        bought = completed(session, order_id)
        order, charge = bought or _to_settle(session, order_id)
        taken_back = disputed_charges.was_taken_back(session, order_id)
        newest = disputes.newest_entry(session, order_id)
        vat = vat_at_bank.left_to_a_person(session, order_id)
    if bought:
        left = _settle_dispute(order, charge, by=by, why=why, rest_paid=rest_paid, newest=newest, vat_minor=vat)
        return Recorded(owed_minor=left, vat_minor=vat, currency=charge.currency)
    asked, back = True, 0
    try:
        back = _went_back_minor(charge)
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
    _require_decided(order, charge, found, owed_minor=owed)
    _require_rest_paid(order, charge, found, owed_minor=owed, vat_minor=vat, rest_paid=rest_paid)
    left = _left_minor(charge, found, owed_minor=owed, back_minor=back) if asked else None
    with begin() as session:
        by_bank = _returned_by_bank(found, charge)
        settle_refund(session, order_id, by=by, why=why, by_bank=by_bank, found=found, newest=newest, owed_minor=left)
    return Recorded(owed_minor=left, vat_minor=vat, currency=charge.currency, provider_asked=asked)


def settle_refund(
    session: Session,
    order_id: UUID,
    *,
    by: str,
    why: str,
    by_bank: bool = False,
    found: Sequence[Dispute] = (),
    newest: int | None = None,
    owed_minor: int | None = None,
) -> None:
    """Record that the whole charge was refunded outside the provider; the order goes on from `refund_payment`.

    found: the charge's disputes. newest: the newest entry about a dispute before they were asked for. owed_minor: what was left to pay, if that is known. Raises NotPossible if the order is not parked
    there, if there is nothing left to refund, or if a dispute has gone on.
    """
    order, charge = _to_settle(session, order_id)
    _record_outside(
        session, order, charge, by=by, why=why, by_bank=by_bank, found=found, newest=newest, owed_minor=owed_minor
    )
    resume(session, order_id, Resumption(Step.REFUND_PAYMENT, Step.REFUND_PAYMENT), by=by)


def settle_unexpected(
    order_id: UUID, charge_ref: str, *, by: str, why: str, rest_paid: bool = False
) -> tuple[int, str] | None:
    """Record that money which the order had no use for was given back by other means, of which the customer's bank does not return all.

    Returns what was owed of it, in minor units of which currency: what neither the provider nor the bank gave back. None if the bank took a sum in another.

    Without a dispute, a refund of it must have failed, or have been refused, as it is once a part went back elsewhere: ours is of the whole.
    Once more, if a dispute has gone on since it was recorded, and the customer is owed more: that is then what was owed.
    rest_paid: the bank took a sum in another currency for good, and what that left was paid by other means.
    What the provider refunded is noted even if that is refused. Raises NotPossible; TemporarilyUnavailable, Misconfigured: the provider could not be asked.
    """
    with begin() as session:
        order, charge = _unexpected(session, order_id, charge_ref)
        paid = refunded.paid_minor(session, charge)
        is_for_a_person = paid is not None or refunded.is_for_a_person(session, charge)
        newest = disputes.newest_entry(session, order_id)
    back = _went_back_minor(charge)
    if back >= charge.amount_minor:
        raise NotPossible(f"the provider has given back unexpected charge {charge_ref}")
    found, owed = disputed(charge)
    if not found and not (is_for_a_person or back):
        raise NotPossible(
            f"unexpected charge {charge_ref} goes back by itself: no refund of it has failed or was refused"
        )
    _require_decided(order, charge, found, owed_minor=owed)
    left = _left_minor(charge, found, owed_minor=owed, back_minor=back)
    if paid is not None:
        left = _left_since(charge, left, paid_minor=paid)
    elif _is_lost(found) and not owed:
        _require_rest_of_unexpected_paid(charge, found, rest_paid=rest_paid)
    with begin() as session:
        order, charge = _unexpected(session, order_id, charge_ref)
        if refunded.paid_minor(session, charge) != paid:  # somebody has recorded it meanwhile
            raise NotPossible(_is_back_already(charge))
        if not found:
            _require_none_under_way(session, order, charge)
        _record_outside(
            *(session, order, charge), by=by, why=why, by_bank=False, found=found, newest=newest, owed_minor=left
        )
    return None if left is None else (left, charge.currency)


def _went_back_minor(charge: ChargeAttempt) -> int:
    """How much of the charge the provider has refunded, or is about to. What of that was not noted is. Call and errors as of `refunding.back_minor`."""
    if charge.ref is None:
        return 0
    refunds = payments().find_refunds(charge_ref=charge.ref)
    with begin() as session:
        locked(session, charge.order_id)
        refunds_elsewhere.note(session, charge.order_id, charge.attempt, refunds)
    return refunding.standing_minor(refunds)


def _left_minor(charge: ChargeAttempt, found: Sequence[Dispute], *, owed_minor: int, back_minor: int) -> int | None:
    """What neither the provider nor the bank gave back; None if the bank took a sum in another currency. owed_minor: that, if there is a dispute."""
    if disputes.is_foreign(found, charge.currency):
        return None
    return owed_minor if found else charge.amount_minor - back_minor


def _left_since(charge: ChargeAttempt, left_minor: int | None, *, paid_minor: int) -> int:
    """What is left to pay of an unexpected charge of which `paid_minor` was recorded as paid. Raises NotPossible if nothing is, or if the sums cannot be compared."""
    if left_minor is None:
        raise NotPossible(
            f"{_is_back_already(charge)}, and its bank has a sum in another currency since: compare the sums"
        )
    if left_minor < paid_minor:
        raise NotPossible(disputes.has_twice(str(charge.ref), paid_minor - left_minor, charge.currency))
    if left_minor == paid_minor:
        raise NotPossible(_is_back_already(charge))
    return left_minor - paid_minor


def _is_back_already(charge: ChargeAttempt) -> str:
    return f"unexpected charge {charge.ref} is back already"


def _require_none_under_way(session: Session, order: Order, charge: ChargeAttempt) -> None:
    """Raises NotPossible while the provider may still make a refund: only a dispute, or a refusal of the last request, keeps it from that."""
    if refunded.is_under_way(session, charge):
        raise NotPossible(
            f"a refund of unexpected charge {charge.ref} is under way: do not pay; look again in a minute, with `prorata orders show {order.number}`"
        )


def _settle_dispute(
    order: Order, charge: ChargeAttempt, *, by: str, why: str, rest_paid: bool, newest: int | None, vat_minor: int
) -> int | None:
    """End what a completed order bought, whose charge the customer's bank has taken back for good. Returns what was left to pay. Raises NotPossible.

    The same for one whose dispute was won: the provider no longer refunds that, so a person did by other means. And for one of which no more
    than VAT is left that was to be paid so, if a person says that it was.
    """
    back = _went_back_minor(charge)
    if back >= charge.amount_minor:
        raise NotPossible(
            f"the provider has given back what order {order.number} was charged: run `prorata orders refund {order.number}`, which records that"
        )
    found, owed = disputed(charge)
    if not found and not (rest_paid and _is_vat(order, charge.amount_minor - back)):
        raise NotPossible(
            f"the provider can still refund what order {order.number} was charged: run `prorata orders refund {order.number}`"
        )
    _require_decided(order, charge, found, owed_minor=owed)
    left = _left_minor(charge, found, owed_minor=owed, back_minor=back)
    with begin() as session:
        locked(session, order.id)
        dispute_settlements.require_none(session, order, charge, found, owed_minor=owed)
        _require_rest_paid(order, charge, found, owed_minor=owed, vat_minor=vat_minor, rest_paid=rest_paid)
        try:
            support_refund.refund(session, order.id, by=by, why=why, now=now(), is_back=True)
        except NotPossible as refused:
            # Its advice is for whoever has the money: what is unused is with the bank, and the provider refunds no rest.
            raise NotPossible(f"{refused.why}. What to do then: docs/disputes.md, A disputed charge") from None
        by_bank = _returned_by_bank(found, charge)
        _record_outside(
            session, order, charge, by=by, why=why, by_bank=by_bank, found=found, newest=newest, owed_minor=left
        )
    return left


def _is_vat(order: Order, left_minor: int) -> bool:
    """Whether what the provider has not refunded is no more than VAT that was left to a person."""
    with begin() as session:
        return left_minor <= vat_at_bank.payable_by_a_person(session, order)


def _require_unchanged(session: Session, order: Order, newest: int | None) -> None:
    """Raises NotPossible if a dispute of the order was noted since `newest`: who has the money is not known."""
    try:
        disputes.require_newest(session, order.id, newest)
    except StepAgain:
        raise NotPossible(
            f"a dispute of order {order.number} has gone on meanwhile: look again, and do not pay yet"
        ) from None


def _require_decided(order: Order, charge: ChargeAttempt, found: Sequence[Dispute], *, owed_minor: int) -> None:
    """Raises NotPossible while the bank has the money and has not decided. found: none, if no dispute is in the way. owed_minor: what it left."""
    dispute = disputes.in_the_way(found)
    if dispute is not None and dispute.status is DisputeStatus.CHARGEBACK:
        raise NotPossible(
            disputes.why_not(order.number, found, owed_minor=owed_minor, vat_minor=0, currency=charge.currency)
        )


def _require_rest_paid(
    order: Order, charge: ChargeAttempt, found: Sequence[Dispute], *, owed_minor: int, vat_minor: int, rest_paid: bool
) -> None:
    """Raises NotPossible if the bank took a part for good, or a sum in another currency, and nobody says that the rest was paid."""
    if rest_paid or not _is_lost(found):
        return
    if owed_minor:
        raise NotPossible(
            disputes.why_not(order.number, found, owed_minor=owed_minor, vat_minor=vat_minor, currency=charge.currency)
        )
    if disputes.is_foreign(found, charge.currency):
        raise NotPossible(
            f"{_taken(found, f'what order {order.number} was charged')}, which was {format_amount(charge.amount_minor, charge.currency)}: compare the sums. "
            "If that is less than all, pay the rest by other means; then, or if it is all, add --rest-paid"
        )


def _require_rest_of_unexpected_paid(charge: ChargeAttempt, lost: Sequence[Dispute], *, rest_paid: bool) -> None:
    """Raises NotPossible if the bank took all of an unexpected charge, or a sum in another currency and nobody says that the rest was paid."""
    if not disputes.is_foreign(lost, charge.currency):
        raise NotPossible(
            f"the customer's bank has taken back all of unexpected charge {charge.ref} ({disputes.named(lost)}, lost): nothing is owed"
        )
    if not rest_paid:
        raise NotPossible(
            f"{_taken(lost, f'unexpected charge {charge.ref}')}, which was of {format_amount(charge.amount_minor, charge.currency)}: compare the sums. "
            "If that is less than all, pay the rest by other means, and add --rest-paid; otherwise nothing is owed"
        )


def _taken(lost: Sequence[Dispute], of_what: str) -> str:
    return f"the customer's bank has taken {disputes.sum_taken_back(lost)} of {of_what} back for good ({disputes.named(lost)}, lost)"


def _is_lost(found: Sequence[Dispute]) -> bool:
    dispute = disputes.in_the_way(found)
    return dispute is not None and dispute.status is DisputeStatus.LOST


def _returned_by_bank(found: Sequence[Dispute], charge: ChargeAttempt) -> bool:
    """Whether the customer has all of the charge from the bank, for good. A sum in another currency counts as all of it."""
    return _is_lost(found) and not disputes.not_taken_minor(
        found, amount_minor=charge.amount_minor, currency=charge.currency
    )


def _record_outside(
    session: Session,
    order: Order,
    charge: ChargeAttempt,
    *,
    by: str,
    why: str,
    by_bank: bool,
    found: Sequence[Dispute],
    newest: int | None,
    owed_minor: int | None = None,
) -> None:
    """found: the charge's disputes. They are noted first, as those that are lost count as a part of what is recorded.

    newest: the newest entry about a dispute before they were asked for. owed_minor: what was left to pay, if that is known. Raises NotPossible if there is another.
    """
    _require_unchanged(session, order, newest)
    disputes.note(session, order.id, charge.attempt, found, newest=newest)
    attempt = refunded.recorded_outside(session, charge)  # if more is owed since
    if attempt is None:
        attempt = refunding.start(session, order, charge, amount_minor=charge.amount_minor, reason="refunded-outside")
        refunding.settle_outside(session, attempt, by_bank=by_bank)
    facts = {"attempt": attempt.attempt, "amount_minor": attempt.amount_minor, "by": by, "why": why}
    if owed_minor is not None:
        not_taken = disputes.not_taken_minor(found, amount_minor=charge.amount_minor, currency=charge.currency)
        facts |= {"owed_minor": owed_minor, "by_bank_minor": charge.amount_minor - not_taken if found else 0}
    timeline.note(session, order.id, Kind.REFUND_SETTLED_OUTSIDE, facts)


def _to_settle(session: Session, order_id: UUID) -> tuple[Order, ChargeAttempt]:
    """The order, locked, and the charge whose refund is to be settled. Raises NotPossible."""
    order = locked(session, order_id)
    if first := let_it_complete(order):
        raise NotPossible(f"order {order.number} is {order.status}; {first}")
    if order.status is not OrderStatus.NEEDS_ATTENTION:
        raise NotPossible(f"order {order.number} does not need attention: it is {order.status}")
    if order.next_step is not Step.REFUND_PAYMENT:
        raise NotPossible(f"order {order.number} stands at {order.next_step}, where no refund is to be settled")
    charge = refunded.succeeded_charge(session, order)
    if charge is None:
        raise NotPossible(f"order {order.number} charged no card, so there is nothing to settle; resume it instead")
    if refunded.is_refunded(session, charge):
        raise NotPossible(f"what order {order.number} was charged is back already; resume it instead")
    return order, charge


def _unexpected(session: Session, order_id: UUID, charge_ref: str) -> tuple[Order, ChargeAttempt]:
    """The order, locked, and a charge that it has no use for, unless it was given back, and not as somebody recorded. Raises NotPossible."""
    order = locked(session, order_id)
    made = select(ChargeAttempt).where(ChargeAttempt.order_id == order_id, ChargeAttempt.ref == charge_ref)
    charge = session.scalar(made)
    if charge is None or not refunded.is_unexpected(session, charge):
        raise NotPossible(f"{charge_ref} is no unexpected charge of order {order.number}")
    if charge.status in ATTEMPT_UNDER_WAY:
        raise NotPossible(
            f"order {order.number} waits for {charge_ref} to go back before it charges what is due: run `prorata orders cancel {order.number}` first, "
            f"then `prorata orders refunded-outside {order.number}`, without --charge"
        )
    if refunded.is_refunded(session, charge) and refunded.paid_minor(session, charge) is None:
        raise NotPossible(_is_back_already(charge))
    return order, charge
