"""Checks that a sum to be paid by transfer is owed on one document until paid, and is returned if the order is refunded."""

from models.invoices import Invoice, InvoiceReason, ReceivableStatus
from models.ledger import Cause
from models.states import OrderStatus, PaymentKind, Step
from tasks.ledger_check.books import OrderBook
from tasks.ledger_check.differences import Check, Found, differs

_ASKS = (InvoiceReason.ORDER, InvoiceReason.VAT_NUMBER_INVALID)


def check_receivables(book: OrderBook) -> Found:
    for document in book.invoices:
        receivable = book.receivables.get(document.id)
        expected = _asked(book, document) if _owes(document) else 0
        found = receivable.amount_minor if receivable else 0
        yield from differs(Check.RECEIVABLE, _where(document), "what is owed on it", expected, found)
    if book.is_active:
        yield from _check_asked_once(book)
    if book.order.status is OrderStatus.REFUNDED:
        yield from _check_not_asked(book)
    yield from _check_transfers(book)


def _owes(document: Invoice) -> bool:
    return document.sign == 1 and (
        document.reason is InvoiceReason.VAT_NUMBER_INVALID
        or (document.reason is InvoiceReason.ORDER and document.payment_kind is PaymentKind.INVOICE)
    )


def _asked(book: OrderBook, document: Invoice) -> int:
    """What is due on it, less what was paid on the invoice that it replaced but recorded later, plus what it says was paid there and was not."""
    replaced = book.receivables.get(document.corrects_id) if document.corrects_id is not None else None
    if replaced is None:
        return document.due_minor
    paid = replaced.amount_minor if replaced.status is ReceivableStatus.PAID else 0
    return document.due_minor + document.paid_before_minor - paid


def _check_asked_once(book: OrderBook) -> Found:
    """The document in force has its sum owed or paid; on one that it replaced nothing is owed."""
    asking = [document for document in book.invoices if document.sign == 1 and document.reason in _ASKS]
    asking.sort(key=lambda document: (document.corrects_id is not None, document.id))
    for document in asking:
        receivable = book.receivables.get(document.id)
        if receivable is None:
            continue
        if document is asking[-1]:
            why, never, expected = "being active", ReceivableStatus.CANCELLED, "open or paid"
        else:
            why, never, expected = f"having {asking[-1].number} instead", ReceivableStatus.OPEN, "cancelled or paid"
        if receivable.status is never:
            what = f"what is owed on it, {book.where} {why},"
            yield from differs(Check.RECEIVABLE, _where(document), what, expected, receivable.status)


def _check_not_asked(book: OrderBook) -> Found:
    for document in book.invoices:
        receivable = book.receivables.get(document.id)
        still = receivable is not None and receivable.status is ReceivableStatus.OPEN
        yield from differs(Check.RECEIVABLE, _where(document), "being owed though the order was refunded", False, still)


def _check_transfers(book: OrderBook) -> Found:
    """What was paid by transfer becomes balance when `refund_payment` is done, and only then."""
    order = book.order
    paid = sum(r.amount_minor for r in book.receivables.values() if r.status is ReceivableStatus.PAID)
    returned = book.moved_by(Cause.TRANSFER_CREDIT)
    is_back = order.status is OrderStatus.REFUNDED or order.next_step is Step.SEND_REFUND_NOTICE
    if order.next_step is Step.REFUND_PAYMENT and book.called_back:
        is_back = returned != 0
    expected = paid if is_back else 0
    yield from differs(Check.RECEIVABLE, book.where, "what was paid by transfer and became balance", expected, returned)


def _where(document: Invoice) -> str:
    return f"invoice {document.number}"
