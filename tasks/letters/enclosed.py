"""What a letter says of the documents that it brings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from models.invoices import InvoiceKind
from tasks.letters.content import Paragraph
from tasks.letters.wording import Wording


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What is still to be paid on a document by transfer."""

    amount_minor: int
    """in minor units of the order's currency"""
    due_at: datetime
    terms: tuple[str, ...]
    """how to pay that, in the document's own words"""
    bank_account: str | None = None
    """to which account, likewise"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosed:
    """An invoice or credit note."""

    kind: InvoiceKind
    number: str
    owed: Owed | None = None
    paid: bool = False
    """what was to be paid on it by transfer has come"""
    cancels: str | None = None
    """number of the invoice that it takes back before anybody paid it"""


def told(w: Wording, enclosed: Sequence[Enclosed]) -> tuple[Paragraph, ...]:
    """What is attached, what is not to be paid any more, and how to pay what is: many never open an attachment."""
    if not enclosed:
        return ()
    accounts = dict.fromkeys(each.owed.bank_account for each in enclosed if each.owed and each.owed.bank_account)
    return Paragraph(" ".join(_sentences(w, enclosed))), *(Paragraph(account, whole=True) for account in accounts)


def _sentences(w: Wording, enclosed: Sequence[Enclosed]) -> Iterator[str]:
    yield from _attached(w, enclosed)
    for each in enclosed:
        if each.cancels:
            yield w.say("%(number)s is cancelled: please do not pay it.", number=each.cancels)
    for each in enclosed:
        if each.owed is not None:
            yield from each.owed.terms


def _attached(w: Wording, enclosed: Sequence[Enclosed]) -> Iterator[str]:
    if [each.kind for each in enclosed] == [InvoiceKind.CREDIT_NOTE, InvoiceKind.INVOICE]:
        credit_note, invoice = (each.number for each in enclosed)
        yield w.say(
            "Credit note %(credit_note)s and invoice %(invoice)s are attached.",
            credit_note=credit_note,
            invoice=invoice,
        )
        return
    for each in enclosed:
        if each.kind is InvoiceKind.INVOICE:
            yield w.say("Invoice %(number)s is attached.", number=each.number)
        else:
            yield w.say("Credit note %(number)s is attached.", number=each.number)
