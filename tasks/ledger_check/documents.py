"""Every order that cost something has its document, every document adds up and says what its order says, no number is missing."""

from datetime import date

from sqlalchemy import Select, and_, exists, func, select, union_all
from sqlalchemy.orm import Session

from models.invoice_numbers import InvoiceNumber
from models.invoices import Invoice, InvoiceLine, InvoiceReason, InvoiceSeries
from models.ledger import Cause
from models.lost_numbers import LostNumbers
from models.orders import PricedLine
from models.sold_to import credit_timezones, kept_timezone
from models.states import AttemptStatus, OrderStatus, RefundState
from tasks.ledger_check.books import OrderBook
from tasks.ledger_check.differences import Check, Found, differs

_SUMS = ("net_minor", "tax_minor", "total_minor")


def check_documents(book: OrderBook) -> Found:
    order = book.order
    firsts = [d for d in book.invoices if d.reason is InvoiceReason.ORDER]
    if order.status is OrderStatus.COMPLETED:
        costs = any(line.interval is not None for line in book.lines)
        yield from differs(Check.INVOICE, book.where, "its documents", int(costs), len(firsts))
    for first in firsts:
        yield from _check_first(book, first)
    for document in book.invoices:
        yield from _check_sums(document, book.invoice_lines.get(document.id, []))
    if order.status is OrderStatus.REFUNDED and firsts:
        left = sum(document.total_minor for document in book.invoices)
        yield from differs(Check.INVOICE, book.where, "what its documents leave, its money being back,", 0, left)
        for document in book.invoices:
            if document.reason is InvoiceReason.REFUND and document.supplied_on is not None:
                yield from _check_given_back(book, document)
    yield from _check_vat_credit(book)


def _check_first(book: OrderBook, first: Invoice) -> Found:
    where = f"invoice {first.number}"
    for name in (*_SUMS, "balance_used_minor", "due_minor", "to_balance_minor", "currency", "account_id"):
        yield from differs(
            Check.INVOICE,
            where,
            f"{name}, as in order {first.order_number},",
            getattr(book.order, name),
            getattr(first, name),
        )
    zone = kept_timezone(book.order) or first.timezone
    yield from differs(Check.INVOICE, where, "its time zone, that of the order,", zone, first.timezone)
    zones = dict(credit_timezones(book.order))
    shown = first.buyer.get("credit_timezones", {})
    yield from differs(Check.INVOICE, where, "the time zones of its credits, those of the order,", zones, shown)
    invoiced = {line.position: line for line in book.invoice_lines.get(first.id, [])}
    positions = [line.position for line in book.lines]
    yield from differs(Check.INVOICE, where, "the positions of its lines", positions, sorted(invoiced))
    for line in book.lines:
        copy = invoiced.get(line.position)
        for name in PricedLine.__annotations__ if copy is not None else ():
            yield from differs(
                Check.INVOICE, f"{where}, line {line.position}", name, getattr(line, name), getattr(copy, name)
            )


def _check_given_back(book: OrderBook, credit_note: Invoice) -> Found:
    """A refund's credit note says where the money went. Older ones state neither that nor their day of supply."""
    order, where = book.order, f"credit note {credit_note.number}"
    charged = {charge.attempt for charge in book.charges if charge.status is AttemptStatus.SUCCEEDED}
    refunded = sum(
        refund.amount_minor
        for refund in book.refunds
        if refund.charge_attempt in charged and refund.status is RefundState.SUCCEEDED
    )
    taken_back = -book.moved_by(Cause.TAKE_BACK)
    returned = order.balance_used_minor + book.moved_by(Cause.TRANSFER_CREDIT)
    for what, went, said in (
        ("what of the charge it says went back", refunded, credit_note.paid_before_minor),
        ("what it says the balance got", returned, credit_note.to_balance_minor),
        ("what it says was taken from the balance", taken_back, credit_note.balance_used_minor),
    ):
        yield from differs(Check.INVOICE, where, what, went, said)


def _check_sums(document: Invoice, lines: list[InvoiceLine]) -> Found:
    where = f"invoice {document.number}"
    for name in _SUMS:
        total = document.sign * sum(getattr(line, name) for line in lines)
        yield from differs(Check.INVOICE, where, f"{name}, the sum of its lines,", total, getattr(document, name))
    number = str(InvoiceNumber(document.series, document.year, document.sequence))
    yield from differs(Check.INVOICE, where, "its number", number, document.number)
    yield from differs(Check.INVOICE, where, "its year", document.issued_on.year, document.year)


def _check_vat_credit(book: OrderBook) -> Found:
    given = -sum(d.total_minor for d in book.invoices if d.reason is InvoiceReason.VAT_NUMBER_CONFIRMED)
    yield from differs(Check.CREDIT, book.where, "the VAT added to the balance", given, book.moved_by(Cause.VAT_CREDIT))


def check_numbers(session: Session) -> Found:
    """In each series and year: 1, 2, 3 ... up to the last number given, each of one document or recorded as lost, on days that never go back."""
    last = {(row.series, row.year): row.last_sequence for row in session.scalars(select(InvoiceSeries))}
    issued = {(row[0], row[1]): [int(number) for number in row[2:]] for row in session.execute(_NUMBERS)}
    for key in sorted(last.keys() | issued.keys()):
        count = last.get(key, 0)
        expected = [count, 1, count] if count else [0, None, None]
        yield from differs(
            Check.NUMBERS, f"series {key[0]} of {key[1]}", "count, first and last of its numbers", expected, issued.get(key, [0, None, None])
        )  # fmt: skip
    for number, day, before in session.execute(_EARLIER_THAN_BEFORE):
        where, what = f"invoice {number}", "its day of issue, after that of the number before it,"
        yield from differs(Check.NUMBERS, where, what, f"{before} or later", day)
    for number in session.scalars(select(Invoice.number).where(_IS_LOST).order_by(Invoice.number)):
        yield from differs(Check.NUMBERS, f"invoice {number}", "its number", "recorded as lost", "given again")


_IS_LOST = exists().where(
    LostNumbers.series == Invoice.series,
    LostNumbers.year == Invoice.year,
    Invoice.sequence.between(LostNumbers.first, LostNumbers.last),
)


def _numbers() -> Select[str, int, int, int, int]:
    """Of each series and year: count, first and last of the numbers that have a document or are recorded as lost."""
    of_documents = select(
        Invoice.series,
        Invoice.year,
        func.count().label("count"),
        func.min(Invoice.sequence).label("first"),
        func.max(Invoice.sequence).label("last"),
    )
    of_lost = select(
        LostNumbers.series,
        LostNumbers.year,
        func.sum(LostNumbers.last - LostNumbers.first + 1),
        func.min(LostNumbers.first),
        func.max(LostNumbers.last),
    )
    both = union_all(
        of_documents.where(~_IS_LOST).group_by(Invoice.series, Invoice.year),
        of_lost.group_by(LostNumbers.series, LostNumbers.year),
    ).subquery()
    series = both.c.series, both.c.year
    return select(*series, func.sum(both.c.count), func.min(both.c.first), func.max(both.c.last)).group_by(*series)


_NUMBERS = _numbers()


def _days() -> Select[str, date, date]:
    """Documents whose day is before that of the number before them, each with both days."""
    day_before = func.lag(Invoice.issued_on).over(
        partition_by=(Invoice.series, Invoice.year), order_by=Invoice.sequence
    )
    of_series = and_(InvoiceSeries.series == Invoice.series, InvoiceSeries.year == Invoice.year)
    each = (
        select(Invoice.number, Invoice.issued_on, day_before.label("before"))
        .join(InvoiceSeries, of_series)
        .where(Invoice.sequence > InvoiceSeries.unordered_until)
        .subquery()
    )
    goes_back = each.c.issued_on < each.c.before
    return select(each.c.number, each.c.issued_on, each.c.before).where(goes_back).order_by(each.c.number)


_EARLIER_THAN_BEFORE = _days()
