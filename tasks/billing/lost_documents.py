"""Documents that are not here although their numbers were given: a backup was restored that is older than they are.

An operator records such numbers, because a gap in a series has to be explained to whoever audits it.
"""

from collections.abc import Sequence

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from models.errors import Explained, Unknown
from models.invoice_numbers import InvoiceNumber
from models.invoices import Invoice, InvoiceSeries
from models.lost_numbers import LostNumbers
from tasks.plain_text import name_typed, typed
from tasks.wiring import now


class NotLost(Explained):
    """These numbers cannot be recorded as lost; the message says why."""


class UnknownDocument(Unknown):
    """No document here has that number; the message says why."""


def record_loss(session: Session, first: InvoiceNumber, last: InvoiceNumber, *, by: str, why: str) -> LostNumbers:
    """Record, finally, that the documents from `first` to `last` were lost. Raises NotLost.

    The series' row is locked: no other range can be recorded meanwhile.
    """
    if first[:2] != last[:2] or first.sequence > last.sequence or first.sequence < 1:
        raise NotLost(f"from {first} to {last} is no range of one series and year")
    given = _last_given(session, first, lock=True)
    if given is None or last.sequence > given.sequence:
        raise NotLost(f"{last} was not given yet{_so_far(given)}")
    if document := session.scalar(_first_within(first, last)):
        raise NotLost(f"{first._replace(sequence=document)} is not lost: its document is here")
    if known := session.scalar(_recorded(first, last)):
        raise NotLost(f"numbers among them are recorded as lost already: {told(known)}")
    loss = LostNumbers(
        series=first.series,
        year=first.year,
        first=first.sequence,
        last=last.sequence,
        recorded_at=now(),
        recorded_by=name_typed(by),
        recorded_why=typed(why),
    )
    session.add(loss)
    session.flush()
    return loss


def losses(session: Session) -> Sequence[LostNumbers]:
    """All that were recorded, in the order of their numbers."""
    return session.scalars(select(LostNumbers).order_by(LostNumbers.series, LostNumbers.year, LostNumbers.first)).all()


def numbered(session: Session, number: str) -> Invoice:
    """The one with this number. Raises UnknownDocument, which says why it is not here."""
    found = session.scalar(select(Invoice).where(Invoice.number == number))
    if found is None:
        raise UnknownDocument(_why_missing(session, number))
    return found


def _why_missing(session: Session, number: str) -> str:
    """For the person who gave the number."""
    wanted = InvoiceNumber.read(number)
    if wanted is None:
        return f"{number} is no number of an invoice: they look like {InvoiceNumber('INV', 2026, 1)}"
    if lost := session.scalar(_recorded(wanted, wanted)):
        return f"{number} is not here, it is recorded as lost: {told(lost)}"
    given = _last_given(session, wanted)
    if given is None or wanted.sequence > given.sequence:
        return f"there is no invoice {number} yet{_so_far(given)}"
    return (
        f"{number} was given, but its document is not here: was a backup restored that is older? Then its order is not here, either, "
        'see "Restoring a backup" in the documentation'
    )


def ends(lost: LostNumbers) -> tuple[InvoiceNumber, InvoiceNumber]:
    """The first and the last of the numbers."""
    return InvoiceNumber(lost.series, lost.year, lost.first), InvoiceNumber(lost.series, lost.year, lost.last)


def told(lost: LostNumbers) -> str:
    first, last = ends(lost)
    return f"{first if first == last else f'{first} to {last}'}, by {lost.recorded_by}: {lost.recorded_why}"


def _last_given(session: Session, number: InvoiceNumber, *, lock: bool = False) -> InvoiceNumber | None:
    """The last number given in the series and year of `number`."""
    query = select(InvoiceSeries).where(InvoiceSeries.series == number.series, InvoiceSeries.year == number.year)
    row = session.scalar(query.with_for_update() if lock else query)
    return number._replace(sequence=row.last_sequence) if row is not None else None


def _so_far(given: InvoiceNumber | None) -> str:
    return f": {given} is the last of its series" if given is not None else ": its series has no number in that year"


def _recorded(first: InvoiceNumber, last: InvoiceNumber) -> Select[LostNumbers]:
    """The first range of lost numbers that has any of these."""
    overlaps = LostNumbers.first <= last.sequence, LostNumbers.last >= first.sequence
    of_series = LostNumbers.series == first.series, LostNumbers.year == first.year
    return select(LostNumbers).where(*of_series, *overlaps).order_by(LostNumbers.first).limit(1)


def _first_within(first: InvoiceNumber, last: InvoiceNumber) -> Select[int]:
    """The lowest number of a document among these."""
    return select(func.min(Invoice.sequence)).where(
        Invoice.series == first.series,
        Invoice.year == first.year,
        Invoice.sequence.between(first.sequence, last.sequence),
    )
