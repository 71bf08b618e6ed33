"""What was taken is what was due, and what could not stand went back."""

from models.invoices import InvoiceReason, ReceivableStatus
from models.states import (
    ATTEMPT_OVER,
    ATTEMPT_UNDER_WAY,
    FINAL,
    AttemptStatus,
    OrderStatus,
    PaymentKind,
    RefundState,
    Step,
)
from tasks.ledger_check.books import OrderBook
from tasks.ledger_check.differences import Check, Found, differs


def check_payments(book: OrderBook) -> Found:
    order = book.order
    taken = {c.attempt: c.amount_minor for c in book.charges if c.status is AttemptStatus.SUCCEEDED}
    back = sum(r.amount_minor for r in book.refunds if r.charge_attempt in taken and r.status is RefundState.SUCCEEDED)
    charged = sum(taken.values())
    for key, currency in [(row.key, row.currency) for row in book.charges] + [
        (r.key, r.currency) for r in book.refunds
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
        case _:
            yield from differs(
                Check.CHARGE, book.where, "a charge of more than is due", False, charged > order.due_minor
            )
    yield from _check_unexpected(book)
    yield from _check_receivables(book)
    yield from _check_transfers(book)


def _check_unexpected(book: OrderBook) -> Found:
    """Money that came on an attempt that was given up belongs to the customer."""
    amounts = {event.facts["attempt"]: event.facts["amount_minor"] for event in book.unexpected}
    for charge in book.charges:
        if charge.status not in ATTEMPT_OVER or charge.ref is None or charge.attempt not in amounts:
            continue
        refunds = [r for r in book.refunds if r.charge_attempt == charge.attempt and r.status is RefundState.SUCCEEDED]
        what = f"what went back of the unexpected charge {charge.ref}"
        expected = amounts[charge.attempt]
        yield from differs(Check.REFUND, book.where, what, expected, sum(r.amount_minor for r in refunds))


def _check_kind(book: OrderBook) -> Found:
    order = book.order
    if order.due_minor:
        paid_for = order.payment_kind in (PaymentKind.CARD, PaymentKind.INVOICE)
        yield from differs(Check.CHARGE, book.where, "its sum being charged or invoiced", True, paid_for)
    else:
        yield from differs(
            Check.CHARGE, book.where, "how it is paid", PaymentKind.NOTHING_DUE.value, order.payment_kind
        )


def _check_receivables(book: OrderBook) -> Found:
    for document in book.invoices:
        receivable = book.receivables.get(document.id)
        owes = document.sign == 1 and (
            document.reason is InvoiceReason.VAT_NUMBER_INVALID
            or (document.reason is InvoiceReason.ORDER and document.payment_kind is PaymentKind.INVOICE)
        )
        where = f"invoice {document.number}"
        expected = document.due_minor if owes else 0
        yield from differs(
            Check.RECEIVABLE, where, "what is owed on it", expected, receivable.amount_minor if receivable else 0
        )
        if book.order.status is OrderStatus.REFUNDED and receivable is not None:
            still = receivable.status is ReceivableStatus.OPEN
            yield from differs(Check.RECEIVABLE, where, "being owed though the order was refunded", False, still)


def _check_transfers(book: OrderBook) -> Found:
    """What was paid by transfer becomes balance when `refund_payment` is done, and only then."""
    order = book.order
    paid = sum(r.amount_minor for r in book.receivables.values() if r.status is ReceivableStatus.PAID)
    returned = sum(m.amount_minor for m in book.movements if m.cause == f"order:{order.id}:transfer-credit")
    is_back = order.status is OrderStatus.REFUNDED or order.next_step is Step.SEND_REFUND_NOTICE
    if order.next_step is Step.REFUND_PAYMENT and book.called_back:
        is_back = returned != 0
    expected = paid if is_back else 0
    yield from differs(Check.RECEIVABLE, book.where, "what was paid by transfer and became balance", expected, returned)
