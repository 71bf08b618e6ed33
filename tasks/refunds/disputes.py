"""Disputes: the customer's bank asks about a charge, or takes its money back itself, and decides in the end who keeps it.

While it has the money, the provider refunds nothing of the charge, and nobody else should: the customer would be paid twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import timeline
from models.orders import OrderEvent
from models.payments import ChargeAttempt
from models.rules.currency import format_amount, major
from models.states import TAKEN_BACK, DisputeStatus
from models.timeline_kinds import DISPUTED, Kind
from tasks.errors import StepAgain
from tasks.ports import Dispute
from tasks.refunds import contested
from tasks.wiring import begin, payments

log = structlog.get_logger(__name__)

DO_NOT_PAY: Final = "do not give it back in any other way: the customer would be paid twice"

IF_PREVENTED: Final = "one that was prevented is closed once refunds have returned what is disputed"

_MAY_BE_RATE: Final = (
    "A small rest may be only a difference of exchange rates, and what the bank took again after a decision was contested is not listed: "
    "look in the provider's dashboard first how much it kept"
)

_WORST_FIRST: Final = (*TAKEN_BACK, DisputeStatus.WON)


def find(order_id: UUID, charge_ref: str) -> Sequence[Dispute]:
    """The disputes at the provider of a charge of the order. Call it outside a transaction. Raises TemporarilyUnavailable, Misconfigured."""
    if not payments().retrieve_charge(charge_ref).disputed:
        return ()
    found = payments().find_disputes(charge_ref=charge_ref)
    with begin() as session:
        return contested.whole_if_lost_anew(session, order_id, found)


def newest_entry(session: Session, order_id: UUID) -> int | None:
    """Id of the newest entry about a dispute. Take it before you ask the provider: what it answers is older than any entry that comes later."""
    about = select(OrderEvent.id).where(OrderEvent.order_id == order_id, OrderEvent.kind.in_(DISPUTED))
    return session.scalar(about.order_by(OrderEvent.id.desc()).limit(1))


def require_newest(session: Session, order_id: UUID, entry: int | None) -> None:
    """Raises StepAgain if another entry about a dispute was noted since. The caller has locked the order's row."""
    if newest_entry(session, order_id) != entry:
        raise StepAgain("a turn of the order's disputes was noted meanwhile; asking for them again")


def note(
    session: Session, order_id: UUID, charge_attempt: int, disputes: Sequence[Dispute], *, newest: int | None
) -> None:
    """Record each turn of the charge's disputes once, for a person to act. The caller has locked the order's row.

    newest: the `newest_entry` before they were asked for. Raises StepAgain if it is another now: what was read may be older.
    """
    require_newest(session, order_id, newest)
    for dispute in disputes:
        if is_noted(session, order_id, dispute):
            continue
        is_open = dispute.status in (DisputeStatus.INQUIRY, DisputeStatus.CHARGEBACK)
        facts = {
            "dispute": dispute.ref,
            "status": dispute.status.value,
            "attempt": charge_attempt,
            "amount_minor": dispute.amount_minor,
            "currency": dispute.currency,
            "bank_says": dispute.reason,
            "due": dispute.due_at.isoformat() if dispute.due_at is not None and is_open else None,
        }
        timeline.note(session, order_id, Kind.CHARGE_DISPUTED if is_open else Kind.DISPUTE_CLOSED, facts)
        report(order_id, dispute)


def is_noted(session: Session, order_id: UUID, dispute: Dispute) -> bool:
    """Whether the newest entry about the dispute has its status and amount. An earlier one may have them, too: what was decided is contested, and decided anew."""
    newest_first = contested.entries(order_id, dispute).order_by(OrderEvent.id.desc())
    facts = session.scalar(newest_first.limit(1)) or {}
    return (facts.get("status"), facts.get("amount_minor")) == (dispute.status.value, dispute.amount_minor)


def noted(session: Session, charge: ChargeAttempt) -> list[Mapping[str, Any]]:
    """`latest`, of what the timeline says now of the charge."""
    about = (OrderEvent.order_id == charge.order_id, OrderEvent.kind.in_(DISPUTED))
    entries = session.scalars(select(OrderEvent).where(*about).order_by(OrderEvent.id))
    return latest(entries, charge.attempt)


def latest(entries: Iterable[OrderEvent], charge_attempt: int) -> list[Mapping[str, Any]]:
    """The newest facts of each dispute of a charge. entries: those of its order about disputes, oldest first.

    An earlier release noted no status.
    """
    newest = {entry.facts["dispute"]: entry.facts for entry in entries if "status" in entry.facts}
    return [facts for facts in newest.values() if facts["attempt"] == charge_attempt]


def report(order_id: UUID, dispute: Dispute) -> None:
    """As an error, so that a person acts; as a warning where the money is ours and nothing is left to do."""
    about = {
        "order_id": str(order_id),
        "charge": dispute.charge_ref,
        "dispute": dispute.ref,
        "status": dispute.status.value,
    }
    if dispute.status in (DisputeStatus.WON, DisputeStatus.CLOSED):
        log.warning("charge disputed", **about)
    else:
        log.error("charge disputed", **about)


def in_the_way(disputes: Sequence[Dispute]) -> Dispute | None:
    """The dispute because of which nothing of the charge is to be refunded: the provider refuses to, or would, although it has let the bank keep the money.

    One that is not decided comes first, though nothing was withdrawn for it yet: beside another it cannot be ended by refunding all, so it may take its sum still.
    """
    decisive = [each for each in disputes if each.status in _WORST_FIRST]
    if not any(each.status is DisputeStatus.LOST or not each.refundable for each in decisive):
        return None
    return min(decisive, key=lambda each: _WORST_FIRST.index(each.status))


def one_in_the_way(disputes: Sequence[Dispute]) -> Dispute:
    """`in_the_way`, where there is one."""
    dispute = in_the_way(disputes)
    if dispute is None:
        raise ValueError("no dispute keeps the provider from refunding the charge")
    return dispute


def not_taken_minor(disputes: Sequence[Dispute], *, amount_minor: int, currency: str) -> int:
    """How much of a charge with a dispute in the way the bank has not taken: all of it, if that was won. 0 if it took all, or a sum in another currency, which cannot be compared."""
    taken = [each for each in disputes if each.status in TAKEN_BACK]
    if in_the_way(disputes) is None or any(each.currency != currency for each in taken):
        return 0
    return max(0, amount_minor - sum(each.amount_minor for each in taken))


def is_foreign(disputes: Sequence[Dispute], currency: str) -> bool:
    """Whether the bank took a sum in another currency than the charge's, with which it cannot be compared."""
    return any(each.status in TAKEN_BACK and each.currency != currency for each in disputes)


def why_not(number: int, disputes: Sequence[Dispute], *, owed_minor: int, vat_minor: int, currency: str) -> str:
    """Why the order's charge, of which a dispute is in the way, is not refunded, and what to do instead.

    owed_minor: what the customer has from nobody, in the charge's currency, if the bank took a part, or none any more. vat_minor: VAT that a person was told to pay.
    """
    dispute = one_in_the_way(disputes)
    sum_taken, which, left = sum_taken_back(disputes), named(disputes), format_amount(owed_minor, currency)
    match dispute.status:
        case DisputeStatus.LOST if owed_minor:
            return (
                f"the customer's bank has taken only {sum_taken} of order {number} back for good ({which}, lost), and the provider refunds no more of it. {_MAY_BE_RATE}. "
                f"If what was bought is to end, pay the remaining {left} by other means first; then run `prorata orders refunded-outside {number} --rest-paid "
                f'--paid {major(owed_minor, currency)} --why "dispute lost, rest by transfer"`: that ends it, and issues the credit note{but_vat(owed_minor, vat_minor, currency)}'
            )
        case DisputeStatus.LOST:
            return (
                f"the customer's bank has taken {sum_taken} of order {number} back for good ({which}, lost); {DO_NOT_PAY}. "
                f'Run `prorata orders refunded-outside {number} --why "dispute lost"`: that ends what was bought, and issues the credit note'
            )
        case DisputeStatus.WON:
            return (
                f"the dispute {dispute.ref} of order {number} was won: the money is yours, and nothing is owed. The provider refunds such a "
                f"charge no more; if you give it back all the same, pay {left} by other means and run `prorata orders refunded-outside {number}`{but_vat(owed_minor, vat_minor, currency)}"
            )
        case _:
            but = f". The remaining {left} it has left with you" if owed_minor else ""
            return (
                f"the customer's bank has taken {sum_taken} of order {number} back ({which}), and has not decided yet; {DO_NOT_PAY}{but}. "
                f"Answer the dispute or accept it in the provider's dashboard, and wait until it is closed ({IF_PREVENTED})"
            )


def but_vat(owed_minor: int, vat_minor: int, currency: str) -> str:
    """What follows an advice to pay `owed_minor`, if a person was told to pay VAT of it before: whether they did is recorded nowhere."""
    vat_minor = min(vat_minor, owed_minor)
    if not vat_minor:
        return ""
    rest = owed_minor - vat_minor
    only = f"only {format_amount(rest, currency)}" if rest else "nothing"
    return f". Of that {format_amount(vat_minor, currency)} is VAT that was to be paid by other means than a refund in the dashboard, once: if it was, pay {only}"


def what_is_owed(charge_ref: str, disputes: Sequence[Dispute] | None, *, owed_minor: int, currency: str) -> str:
    """What a refund that the provider refuses because of a dispute means for money that is owed. disputes: the charge's; None if they could not be asked for.

    owed_minor: what the customer has from nobody, in the charge's currency.
    """
    left = format_amount(owed_minor, currency)
    if disputes is None:
        return f"the customer's bank has taken {charge_ref} back (a dispute); {DO_NOT_PAY}"
    dispute = one_in_the_way(disputes)
    if dispute.status is DisputeStatus.WON:
        return (
            f"the dispute {dispute.ref} of {charge_ref} was won, so the money is with you, and {left} of this refund is owed still: pay that by other means, "
            "and record that with `prorata orders refunded-outside`"
        )
    decided = "for good, lost" if dispute.status is DisputeStatus.LOST else "not decided yet"
    taken = (
        f"the customer's bank has taken {sum_taken_back(disputes)} of {charge_ref} back ({named(disputes)}, {decided})"
    )
    if not owed_minor:
        return f"{taken}; {DO_NOT_PAY}"
    if dispute.status is not DisputeStatus.LOST:
        return f"{taken}; {DO_NOT_PAY}. Do not pay the remaining {left} yet either: one sum is owed once the dispute is closed, and the order, resumed then, names it"
    return f"{taken}: do not pay that. The remaining {left} is owed still: pay only that by other means. {_MAY_BE_RATE}"


def sum_taken_back(disputes: Sequence[Dispute]) -> str:
    """What the bank has taken of the charge, in words."""
    return total([each for each in disputes if each.status in TAKEN_BACK])


def total(disputes: Sequence[Dispute]) -> str:
    """What is disputed in all of them, in words."""
    sums: dict[str, int] = {}
    for each in disputes:
        sums[each.currency] = sums.get(each.currency, 0) + each.amount_minor
    return " and ".join(format_amount(amount, currency) for currency, amount in sums.items())


def named(disputes: Sequence[Dispute]) -> str:
    """The disputes in which the bank has taken money, by their refs."""
    return refs([each for each in disputes if each.status in TAKEN_BACK])


def refs(disputes: Sequence[Dispute]) -> str:
    return f"dispute{'s' if len(disputes) > 1 else ''} {', '.join(each.ref for each in disputes)}"
