"""What the records of money given back outside the provider share, of an order's charge or of an unexpected one: what is left to pay, whether it is decided, and the entry itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from models import timeline
from models.orders import Order
from models.payments import ChargeAttempt
from models.rules import currency
from models.states import DisputeStatus
from models.timeline_kinds import Kind
from tasks.errors import StepAgain
from tasks.operating.order_at_hand import NotPossible, locked
from tasks.ports import Dispute
from tasks.refunds import disputes, given_twice, parked_notices, refunded, refunding, refunds_elsewhere, undecided
from tasks.wiring import begin, payments


def went_back_minor(charge: ChargeAttempt) -> int:
    """How much of the charge the provider has refunded, or is about to. What of that was not noted is. Call and errors as of `refunding.back_minor`."""
    if charge.ref is None:
        return 0
    refunds = payments().find_refunds(charge_ref=charge.ref)
    with begin() as session:
        order = locked(session, charge.order_id)
        refunds_elsewhere.note(session, charge.order_id, charge.attempt, refunds)
        parked_notices.say_anew(session, order)
    return refunding.standing_minor(refunds)


def left_minor(
    order: Order, charge: ChargeAttempt, found: Sequence[Dispute], *, owed_minor: int, back_minor: int
) -> int | None:
    """What neither the provider nor the bank gave back; None if the bank took a sum in another currency. Raises NotPossible while a dispute is not decided.

    owed_minor: what is left, if a dispute is in the way.
    """
    require_decided(order, charge, found, owed_minor=owed_minor)
    if disputes.in_the_way(found) is None:
        return charge.amount_minor - back_minor
    return None if disputes.is_foreign(found, charge.currency) else owed_minor


def left_since(
    charge: ChargeAttempt,
    of_what: str,
    found: Sequence[Dispute],
    left_minor: int | None,
    *,
    paid_minor: int,
    back_minor: int,
) -> int:
    """What is left to pay of a charge of which `paid_minor` was recorded as paid; 0 if nothing is, but the bank has what was recorded of it as refunded.

    of_what: the charge. back_minor: what the provider refunded of it. Raises NotPossible if nothing is to be recorded, or if the sums cannot be compared.
    """
    if left_minor is None:
        raise NotPossible(
            f"{is_back_already(of_what)}, and its bank has a sum in another currency since: compare the sums"
        )
    if left_minor < paid_minor:
        raise NotPossible(
            given_twice.told(
                of_what,
                found,
                amount_minor=charge.amount_minor,
                paid_minor=paid_minor,
                refunded_minor=back_minor,
                currency=charge.currency,
            )
        )
    if left_minor == paid_minor and not _has_bank_another_sum(charge, found):
        raise NotPossible(is_back_already(of_what))
    return left_minor - paid_minor


def _has_bank_another_sum(charge: ChargeAttempt, found: Sequence[Dispute]) -> bool:
    """Whether the bank has another sum of the charge than a person recorded. An earlier commit did not always record it."""
    with begin() as session:
        entries = _entries(session, charge)
    by_bank = _by_bank_minor(charge, found)
    return any(facts.get("by_bank_minor", by_bank) != by_bank for facts in entries[-1:])


def _by_bank_minor(charge: ChargeAttempt, found: Sequence[Dispute]) -> int:
    """What the bank has of the charge for good. All of it, if that is a sum in another currency."""
    if disputes.in_the_way(found) is None:
        return 0
    return charge.amount_minor - disputes.not_taken_minor(
        found, amount_minor=charge.amount_minor, currency=charge.currency
    )


def require_paid(charge: ChargeAttempt, of_what: str, owed_minor: int | None, *, paid: str | None) -> None:
    """Raises NotPossible if a person says that they paid another sum than is owed now: what that is may have changed since it was named to them.

    owed_minor: None if it is not known. paid: in the charge's currency, as `major` writes it; None if they do not say.
    """
    if paid is None:
        return
    if owed_minor is None:
        raise NotPossible(
            f"what is owed of {of_what} is not known here (its bank has a sum in another currency, or the provider could not be asked), so --paid cannot be compared with it: run it without --paid"
        )
    minor = currency.minor(paid, charge.currency)
    if minor is None:
        example = currency.major(owed_minor, charge.currency)
        raise NotPossible(
            f"--paid must be an amount in {charge.currency} like {example}, and nothing else: got {paid!r}"
        )
    if minor != owed_minor:
        was, owed = (currency.format_amount(each, charge.currency) for each in (minor, owed_minor))
        raise NotPossible(
            f"{was} was paid, but {owed} of {of_what} is owed now, so nothing was recorded: it has changed since it was named to you. "
            f"Pay what is missing, and run it with --paid {currency.major(owed_minor, charge.currency)}; if you paid more, clear that up with the customer first"
        )


def times_recorded(session: Session, charge: ChargeAttempt) -> int:
    """How often a person recorded what they gave back of the charge, be it nothing. Under the order's lock, it tells whether another did meanwhile."""
    return len(_entries(session, charge))


def _entries(session: Session, charge: ChargeAttempt) -> Sequence[Mapping[str, Any]]:
    attempt = refunded.recorded_outside(session, charge)
    return () if attempt is None else refunded.recorded_entries(session, attempt)


def recorded_by(session: Session, charge: ChargeAttempt, of_what: str) -> str | None:
    """Who has recorded what they gave back of the charge, for another who wants to; None if nobody has."""
    entries = _entries(session, charge)
    if not entries:
        return None
    newest = entries[-1]
    sum_paid = newest.get("owed_minor")
    paid = f", {currency.format_amount(sum_paid, charge.currency)} of it as paid," if sum_paid else ""
    return (
        f"{of_what} has been recorded as given back{paid} by {newest['by']} ({newest['why']}), so nothing was recorded now. "
        "If you paid, too, the customer has that twice"
    )


def is_back_already(of_what: str) -> str:
    return f"{of_what} is back already"


def require_decided(order: Order, charge: ChargeAttempt, found: Sequence[Dispute], *, owed_minor: int) -> None:
    """Raises NotPossible while the bank has the money and has not decided, or may still take it. owed_minor: what it left."""
    if wait := undecided.why_wait(f"order {order.number}", found):
        raise NotPossible(wait)
    dispute = disputes.in_the_way(found)
    if dispute is not None and dispute.status is DisputeStatus.CHARGEBACK:
        raise NotPossible(
            disputes.why_not(order.number, found, owed_minor=owed_minor, vat_minor=0, currency=charge.currency)
        )


def taken(lost: Sequence[Dispute], of_what: str) -> str:
    return f"the customer's bank has taken {disputes.sum_taken_back(lost)} of {of_what} back for good ({disputes.named(lost)}, lost)"


def is_lost(found: Sequence[Dispute]) -> bool:
    dispute = disputes.in_the_way(found)
    return dispute is not None and dispute.status is DisputeStatus.LOST


def record(
    session: Session,
    order: Order,
    charge: ChargeAttempt,
    *,
    by: str,
    why: str,
    found: Sequence[Dispute],
    newest: int | None,
    owed_minor: int | None,
    by_bank: bool = False,
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
        facts |= {"owed_minor": owed_minor, "by_bank_minor": _by_bank_minor(charge, found)}
    timeline.note(session, order.id, Kind.REFUND_SETTLED_OUTSIDE, facts)


def _require_unchanged(session: Session, order: Order, newest: int | None) -> None:
    """Raises NotPossible if a dispute of the order was noted since `newest`: who has the money is not known."""
    try:
        disputes.require_newest(session, order.id, newest)
    except StepAgain:
        raise NotPossible(
            f"a dispute of order {order.number} has gone on meanwhile: look again, and do not pay yet"
        ) from None
