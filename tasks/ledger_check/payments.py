"""Checks that the charge is what was due, and that charges that had to be undone were refunded."""

from collections.abc import Iterable, Mapping
from typing import Any

from models.payments import RefundAttempt
from models.states import (
    ATTEMPT_UNDER_WAY,
    BACK,
    FINAL,
    TAKEN_BACK,
    AttemptStatus,
    DisputeStatus,
    OrderStatus,
    PaymentKind,
    RefundState,
)
from models.timeline_kinds import CAME_BACK, WENT_BACK, Kind
from tasks.ledger_check import notes
from tasks.ledger_check.books import OrderBook
from tasks.ledger_check.differences import Check, Difference, Found, differs
from tasks.refunds import disputes, refunded


def check_payments(book: OrderBook) -> Found:
    order = book.order
    taken = {c.attempt: c.amount_minor for c in book.charges if c.status is AttemptStatus.SUCCEEDED}
    back = sum(_went_back(book, attempt) for attempt in taken)
    charged = sum(taken.values())
    unexpected = _unexpected(book)
    for key, currency in [(row.key, row.currency) for row in book.charges if row.attempt not in unexpected] + [
        (row.key, row.currency) for row in book.refunds if row.charge_attempt not in unexpected
    ]:
        yield from differs(Check.CHARGE, book.where, f"the currency of {key}", order.currency, currency)
    if order.status in FINAL:
        for row in book.charges:
            under_way = row.status in ATTEMPT_UNDER_WAY
            yield from differs(
                Check.CHARGE, book.where, f"{row.key} being under way, though the order has ended", False, under_way
            )
    match order.status:
        case OrderStatus.COMPLETED:
            due = order.due_minor if order.payment_kind is PaymentKind.CARD else 0
            yield from differs(Check.CHARGE, book.where, "what its card was charged", due, charged)
            yield from differs(Check.REFUND, book.where, "what went back to its card", 0, back)
            yield from _check_kind(book)
        case OrderStatus.REFUNDED | OrderStatus.CANCELLED | OrderStatus.REJECTED:
            yield from differs(Check.REFUND, book.where, "what went back to its card", charged, back)
        case _ if order.next_step not in BACK:
            yield from differs(
                Check.CHARGE, book.where, "a charge of more than is due", False, charged > order.due_minor
            )
    yield from _check_unexpected(book)
    yield from _check_disputes(book, taken)
    for refund in filter(refunded.is_made_of_others, book.refunds):
        what = f"what {refund.key} is made of, noted as made elsewhere,"
        elsewhere = _went_back_elsewhere(book, refund.charge_attempt)
        yield from differs(Check.REFUND, book.where, what, refund.amount_minor, elsewhere)


def _check_unexpected(book: OrderBook) -> Found:
    """Money that the order has no use for belongs to the customer. The charge of an order that turned back counts as its own again."""
    amounts, settled = _unexpected(book), _settled(book)
    for charge in book.charges:
        if charge.status is AttemptStatus.SUCCEEDED or charge.ref is None or charge.attempt not in amounts:
            continue
        of_charge = f"of the unexpected charge {charge.ref}"
        expected, back = amounts[charge.attempt], _went_back(book, charge.attempt)
        by_bank, foreign = 0, list[Difference]()
        noted = disputes.latest(book.disputes, charge.attempt)
        waits = any(map(_is_undecided, noted))
        for facts in noted:
            at_bank, counted = _at_bank(facts, settled.get(charge.attempt, {}))
            if facts["currency"] == charge.currency:
                by_bank += at_bank - counted
            elif at_bank != counted:
                what = f"what the bank has (dispute {facts['dispute']}, {facts['status']}) {of_charge}"
                due = f"{counted} {facts['currency']}" if counted else f"{expected - back} {charge.currency}"
                has = f"{at_bank} {facts['currency']}"
                foreign += differs(Check.REFUND, book.where, what, due, has, waits=waits)
        if foreign:  # sums in other currencies are added to none
            yield from foreign
            continue
        # Alone it may be a little more than the charge, which was in the customer's currency at another day's rate.
        back += by_bank if back else min(by_bank, expected)
        yield from differs(Check.REFUND, book.where, f"what went back {of_charge}", expected, back, waits=waits)


def _check_disputes(book: OrderBook, taken: Iterable[int]) -> Found:
    """What the customer's bank has taken back is not ours any more; if the charge was refunded as well, the customer has it twice.

    taken: the attempts whose charges the order was paid by.
    """
    settled = _settled(book)
    back = {refund.charge_attempt for refund in book.refunds if refund.status is RefundState.SUCCEEDED}
    for attempt in taken:
        if attempt not in back and not book.is_active:
            continue
        for facts in disputes.latest(book.disputes, attempt):
            what = f"what the customer's bank took back (dispute {facts['dispute']}, {facts['status']})"
            at_bank, counted = _at_bank(facts, settled.get(attempt, {}))
            yield from differs(Check.REFUND, book.where, what, counted, at_bank, waits=_is_undecided(facts))


def _is_undecided(facts: Mapping[str, Any]) -> bool:
    return bool(facts["status"] == DisputeStatus.CHARGEBACK)


def _at_bank(facts: Mapping[str, Any], counted: Mapping[str, int]) -> tuple[int, int]:
    """What the bank has by a dispute, and how much it had when a person recorded it as given back. counted: those sums, by dispute."""
    taken = facts["amount_minor"] if facts["status"] in TAKEN_BACK else 0
    return taken, counted.get(facts["dispute"], 0)


def _settled(book: OrderBook) -> dict[int, dict[str, int]]:
    """The amounts, as noted then, of the disputes that were lost when a person recorded a charge as given back by other means, or by the bank, and of those that a person has settled; by the charge's attempt."""
    charges = {refund.attempt: refund.charge_attempt for refund in book.refunds if refunded.is_settled_outside(refund)}
    settled = dict[int, dict[str, int]]()
    for entry in book.settled:
        if (attempt := entry.facts["attempt"]) in charges:
            before = disputes.latest((noted for noted in book.disputes if noted.id < entry.id), charges[attempt])
            lost = (facts for facts in before if facts["status"] == DisputeStatus.LOST)
            settled[charges[attempt]] = {facts["dispute"]: facts["amount_minor"] for facts in lost}
    for entry in book.disputes_settled:
        settled.setdefault(entry.facts["attempt"], {})[entry.facts["dispute"]] = entry.facts["amount_minor"]
    return settled


def _unexpected(book: OrderBook) -> dict[int, int]:
    """The amounts of unexpected charges, by their attempts."""
    return {note.attempt: note.amount_minor for note in notes.read(book) if note.kind == Kind.CHARGE_UNEXPECTED}


def _went_back(book: OrderBook, attempt: int) -> int:
    """How much of an attempt's charge was refunded, by us and elsewhere."""
    ours = [r for r in book.refunds if r.charge_attempt == attempt and r.status is RefundState.SUCCEEDED]
    elsewhere = _went_back_elsewhere(book, attempt)
    if not ours:
        return elsewhere
    [refund] = ours  # a unique index allows no second
    if refunded.is_settled_outside(refund):
        return _recorded_outside(book, refund) + elsewhere
    made_of_others = refunded.is_made_of_others(refund) or _names_one_of_several(book, refund)
    return refund.amount_minor if made_of_others else refund.amount_minor + elsewhere


def _recorded_outside(book: OrderBook, refund: RefundAttempt) -> int:
    """What a person paid by other means, and what the customer's bank had then, without what went back elsewhere.

    Where these sums were not recorded, the charge was: with what had gone back elsewhere before, if that was a part.
    """
    entries = [entry for entry in book.settled if entry.facts["attempt"] == refund.attempt]
    if entries and "by_bank_minor" in entries[-1].facts:
        paid: int = sum(entry.facts["owed_minor"] for entry in entries)
        by_bank: int = entries[-1].facts["by_bank_minor"]
        return paid + by_bank
    recorded = entries[-1].id if entries else None
    before = _went_back_elsewhere(book, refund.charge_attempt, before=recorded)
    return refund.amount_minor - (before if before < refund.amount_minor else 0)


def _names_one_of_several(book: OrderBook, refund: RefundAttempt) -> bool:
    """If several refunds returned the money together, an earlier release recorded all of it under the ref of the first."""
    return any(
        note.kind == Kind.REFUND_ELSEWHERE and note.refund == refund.ref and note.amount_minor < refund.amount_minor
        for note in notes.read(book)
    )


def _went_back_elsewhere(book: OrderBook, attempt: int, *, before: int | None = None) -> int:
    """before: count only what was noted before this entry."""
    ours = {row.ref for row in book.refunds}
    return sum(
        note.amount_minor if note.kind in WENT_BACK else -note.amount_minor
        for note in notes.read(book)
        if note.kind in (*WENT_BACK, *CAME_BACK)
        and note.attempt == attempt
        and note.refund not in ours
        and (before is None or note.entry < before)
    )


def _check_kind(book: OrderBook) -> Found:
    order = book.order
    if order.due_minor:
        paid_for = order.payment_kind in (PaymentKind.CARD, PaymentKind.INVOICE)
        yield from differs(Check.CHARGE, book.where, "its sum being charged or invoiced", True, paid_for)
    else:
        yield from differs(
            Check.CHARGE, book.where, "how it is paid", PaymentKind.NOTHING_DUE.value, order.payment_kind
        )
