"""Reads an order's timeline entries about money that moved without our doing, and checks that they are complete."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from models.orders import OrderEvent
from tasks.ledger_check.books import OrderBook
from tasks.ledger_check.differences import Check, Found, differs
from tasks.refunds import refunds_elsewhere

UNEXPECTED: Final = "charge.unexpected"
"""money arrived on an attempt that we had given up"""
_OF_CHARGE: Final = {"attempt": int, "amount_minor": int}
_OF_REFUND: Final = {**_OF_CHARGE, "refund": str}
_FACTS: Final[Mapping[str, Mapping[str, type]]] = {
    UNEXPECTED: _OF_CHARGE,
    refunds_elsewhere.MADE: _OF_REFUND,
    refunds_elsewhere.FAILED: _OF_REFUND,
}
"""the facts that an entry must have, with their types, for each kind in `books.NOTES`"""


@dataclass(frozen=True, slots=True)
class Note:
    kind: str
    attempt: int
    amount_minor: int
    refund: str | None
    """the provider's id of it; None: the entry is about a charge"""


def read(book: OrderBook) -> Iterator[Note]:
    """The complete entries."""
    for entry in book.notes:
        if not _lacks(entry):
            yield Note(entry.kind, entry.facts["attempt"], entry.facts["amount_minor"], entry.facts.get("refund"))


def check_notes(book: OrderBook) -> Found:
    """Report the incomplete entries: what they are about cannot be checked, everything else can."""
    for entry in book.notes:
        where = f"{book.where}, timeline entry {entry.id}"
        what = f"what {entry.kind} does not say"
        yield from differs(Check.REFUND, where, what, "nothing", ", ".join(_lacks(entry)) or "nothing")


def _lacks(entry: OrderEvent) -> list[str]:
    return [name for name, kind in _FACTS[entry.kind].items() if type(entry.facts.get(name)) is not kind]
