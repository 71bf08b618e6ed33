"""What was taken is what was due, and what could not stand went back."""

from models.states import ATTEMPT_OVER, ATTEMPT_UNDER_WAY, FINAL, AttemptStatus, OrderStatus, PaymentKind, RefundState
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
