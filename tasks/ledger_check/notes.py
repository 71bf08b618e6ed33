"""Reads an order's timeline entries about money that moved without our doing, and checks that they are complete."""

from collections.abc import Iterator
from dataclasses import dataclass

from models.orders import OrderEvent
from tasks.ledger_check.books import NOTES, OrderBook
from tasks.ledger_check.differences import Check, Found, differs


@dataclass(frozen=True, slots=True)
class Note:
    kind: str
    attempt: int
    amount_minor: int
    refund: str | None
    """the provider's id of it; None: the entry is about a charge"""
    entry: int
    """the timeline entry's id: later ones have greater"""


def read(book: OrderBook) -> Iterator[Note]:
    """The complete entries."""
    for entry in book.notes:
        if not _lacks(entry):
            yield Note(
                entry.kind, entry.facts["attempt"], entry.facts["amount_minor"], entry.facts.get("refund"), entry.id
            )


def check_notes(book: OrderBook) -> Found:
    """Report the incomplete entries: what they are about cannot be checked, everything else can."""
    for entry in book.notes:
        where = f"{book.where}, timeline entry {entry.id}"
        what = f"what {entry.kind} does not say"
        yield from differs(Check.REFUND, where, what, "nothing", ", ".join(_lacks(entry)) or "nothing")


def _lacks(entry: OrderEvent) -> list[str]:
    return [name for name, kind in NOTES[entry.kind].items() if type(entry.facts.get(name)) is not kind]
