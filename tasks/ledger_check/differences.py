"""The differences that the checks find, described so that a person can locate them."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tasks.plain_text import sortable


class Check(StrEnum):
    BALANCE = "balance"
    MOVEMENT = "movement"
    RESERVATION = "reservation"
    CREDIT = "credit"
    CHARGE = "charge"
    REFUND = "refund"
    RECEIVABLE = "receivable"
    QUOTE = "quote"
    ORDER = "order"
    LINE = "line"
    INVOICE = "invoice"
    VAT = "vat"
    NUMBERS = "numbers"
    PERIOD = "period"
    CONSERVATION = "conservation"
    SUBSCRIPTION = "subscription"


@dataclass(frozen=True, slots=True)
class Difference:
    """`expected` follows from the facts, `found` is what is stored; both as they are compared."""

    check: Check
    where: str
    """order 1001, account ..., invoice INV-2026-000001"""
    what: str
    expected: str
    found: str
    waits: bool = False
    """until a customer's bank has decided, there is nothing to mend"""

    def __str__(self) -> str:
        return f"{self.where}: {self.what} should be {self.expected}, is {self.found}"


Found = Iterator[Difference]


def differs(check: Check, where: str, what: str, expected: object, found: object, *, waits: bool = False) -> Found:
    """The difference, if there is one."""
    if expected != found:
        yield Difference(check, where, what, sortable(expected), sortable(found), waits)
