"""A lost dispute of a completed order is settled: the customer has paid again what the bank took, or is left it, and keeps what they bought."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import timeline
from models.orders import Order, OrderEvent
from models.payments import ChargeAttempt
from models.rules.currency import format_amount
from models.states import DisputeStatus, OrderStatus
from models.timeline_kinds import Kind
from tasks.operating import dispute_notes
from tasks.operating.order_at_hand import NotPossible, completed, let_it_complete, locked
from tasks.ports import Dispute
from tasks.refunds import disputes
from tasks.vat import vat_at_bank
from tasks.wiring import begin, payments


def settle(order_id: UUID, *, by: str, why: str, paid_again: bool = False, dispute: str | None = None) -> list[str]:
    """Settle the lost disputes of the charge that paid for the order, or only the one that is named; returns the refs of those that were settled now.
    What it bought can be changed again, and `verify` names them no more.

    paid_again: the customer has paid again what the bank took by these, so VAT that turns out not to be due is credited, too. If all are settled, and
    each without it, or the named one, it is added, until the VAT was followed up.
    The provider is asked first, and turns of them that were not noted are, also if that is refused. Call it outside a transaction.
    Raises NotPossible if the order is not completed, or while none is lost, or another not decided; TemporarilyUnavailable, Misconfigured, Refused: the
    provider could not be asked.
    """
    with begin() as session:
        order, charge = _disputed(session, order_id)
    if charge.ref is not None:
        dispute_notes.note(order, payments().retrieve_charge(charge.ref))
    with begin() as session:
        order, charge = _disputed(session, order_id)
        lost = _lost(session, order, charge, dispute)
        settled = _settled(session, order_id)
        new = [facts for facts in lost if facts["dispute"] not in settled]
        if not new:
            earlier = {facts["dispute"]: settled[facts["dispute"]] for facts in lost}
            if not paid_again or any(_is_paid_again(each) for each in earlier.values()) or _is_vat_over(session, order):
                raise NotPossible(_why_settled(session, order, earlier))
            new = lost
        for facts in new:
            of_it = {name: facts[name] for name in ("dispute", "attempt", "amount_minor", "currency")}
            told = of_it | {"by": by, "why": why} | ({"paid_again": True} if paid_again else {})
            timeline.note(session, order_id, Kind.DISPUTE_SETTLED, told)
        return [facts["dispute"] for facts in new]


def _disputed(session: Session, order_id: UUID) -> tuple[Order, ChargeAttempt]:
    """The order, locked, and the charge that paid for it. Raises NotPossible."""
    order = locked(session, order_id)
    if bought := completed(session, order_id):
        return bought
    if first := let_it_complete(order):
        raise NotPossible(f"order {order.number} is {order.status}; {first}")
    why_none = "charged no card" if order.status is OrderStatus.COMPLETED else f"is {order.status}"
    raise NotPossible(f"order {order.number} {why_none}: there is no dispute to settle")


def _lost(session: Session, order: Order, charge: ChargeAttempt, ref: str | None) -> list[Mapping[str, Any]]:
    """What is noted of the charge's lost disputes, or of the one with this ref. Raises NotPossible if there is none, or while one is not decided."""
    noted = disputes.noted(session, charge)
    if any(facts["status"] == DisputeStatus.CHARGEBACK for facts in noted):
        raise NotPossible(
            f"the customer's bank has not decided about order {order.number} yet; wait until the dispute is closed"
        )
    lost = [facts for facts in noted if facts["status"] == DisputeStatus.LOST and ref in (None, facts["dispute"])]
    if not lost:
        others = ", ".join(f"dispute {facts['dispute']} is {facts['status']}" for facts in noted)
        raise NotPossible(
            f"order {order.number} has no lost dispute{f' {ref}' if ref else ''} at the payment provider{f': {others}' if others else ''}"
        )
    return lost


def _settled(session: Session, order_id: UUID) -> Mapping[str, Mapping[str, Any]]:
    """The newest settlement of each dispute of the order: it is with `paid_again` if any is."""
    about = (OrderEvent.order_id == order_id, OrderEvent.kind == Kind.DISPUTE_SETTLED)
    entries = session.scalars(select(OrderEvent.facts).where(*about).order_by(OrderEvent.id))
    return {facts["dispute"]: facts for facts in entries}


def _is_paid_again(settlement: Mapping[str, Any]) -> bool:
    return bool(settlement.get("paid_again"))


def _is_vat_over(session: Session, order: Order) -> bool:
    """Whether it no longer counts for the order's VAT that the customer has paid again."""
    return timeline.is_noted(session, order.id, Kind.VAT_FOLLOWED_UP, {})


def _why_settled(session: Session, order: Order, earlier: Mapping[str, Mapping[str, Any]]) -> str:
    """Which settlements are in the way of another. earlier: those of the disputes in question, by their refs."""
    without = [ref for ref, each in earlier.items() if not _is_paid_again(each)]
    by_whom = "; ".join(
        f"dispute {ref} was settled by {each['by']} ({each['why']}), {'without' if ref in without else 'with'} --paid-again"
        for ref, each in earlier.items()
    )
    told = f"no lost dispute of order {order.number} is left to settle: {by_whom}"
    if not without:
        return told
    if _is_vat_over(session, order):
        return (
            f"{told}. That is added no more, as the VAT was followed up (vat.followed_up in the timeline); "
            "what is owed of it then: docs/disputes.md, VAT of a disputed charge"
        )
    if len(without) == len(earlier):
        return f"{told}. If the customer has paid again what the bank took, add that"
    return f"{told}. If the customer has paid again what the bank took by one of those without, name it: --paid-again --dispute {without[0]}"


def require_none(
    session: Session, order: Order, charge: ChargeAttempt, found: Sequence[Dispute], *, owed_minor: int
) -> None:
    """Raises NotPossible if any of the charge's disputes was settled: to end what was bought, what the customer paid again would have to go back, too.

    Not while the bank has not decided: that is waited for first, settled or not. owed_minor: what the customer has from nobody, if the bank took a part.
    """
    recorded = _settled(session, order.id)
    settled = [each for each in found if each.ref in recorded]
    dispute = disputes.in_the_way(found)
    if settled and dispute is not None and dispute.status is not DisputeStatus.CHARGEBACK:
        vat = vat_at_bank.payable_by_a_person(session, order, charge)
        raise NotPossible(_why_kept(order, charge, found, settled, owed_minor=owed_minor, vat_minor=vat))


def _why_kept(
    order: Order,
    charge: ChargeAttempt,
    found: Sequence[Dispute],
    settled: Sequence[Dispute],
    *,
    owed_minor: int,
    vat_minor: int,
) -> str:
    """Whether the customer has paid again is not recorded, only why the dispute is settled."""
    if won := [each for each in settled if each.status is DisputeStatus.WON]:
        return ". ".join(
            f"dispute {each.ref} of order {order.number} was won after `prorata orders dispute-settled` was run for it: the customer keeps what they bought. "
            f"If they paid {format_amount(each.amount_minor, each.currency)} again, give that back by other means, once, and tell your accountant: they have paid it twice"
            for each in won
        )
    owed = f"{disputes.sum_taken_back(settled)}, if they paid that again"
    if owed_minor:
        but = disputes.but_vat(owed_minor, vat_minor, charge.currency)
        owed = f"{owed}, and the remaining {format_amount(owed_minor, charge.currency)} in any case{but}"
    elif disputes.is_foreign(found, charge.currency):
        of_all = format_amount(charge.amount_minor, charge.currency)
        owed = f"{owed}, and what the bank left of {of_all} in any case: compare the sums"
    return (
        f"`prorata orders dispute-settled` was run for {disputes.named(settled)} of order {order.number}: the customer keeps what they bought. "
        f"If it is to end all the same, give back by other means {owed}; no command records that: let your accountant correct the invoice"
    )
