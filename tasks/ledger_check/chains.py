"""Checks that a subscription's periods follow from each other, and that over the whole chain paid = used + running."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from models.invoices import InvoiceReason
from models.orders import OrderLine
from models.rules.cart import SubscriptionStatus
from models.states import REFUNDED_BY_SUPPORT, OrderStatus
from tasks.ledger_check.books import Books, OrderBook, PeriodBook, SubscriptionBook
from tasks.ledger_check.differences import Check, Found, differs


class SoldLine(NamedTuple):
    product_code: str
    tier_code: str
    seats: int
    charge_minor: int
    charge_tax_minor: int
    unused_minor: int
    unused_tax_minor: int
    net_minor: int
    tax_minor: int
    period_start: datetime
    from_period_id: UUID | None
    corrected_tax: int
    """VAT that was added to, or taken off, its charge after it was charged"""


class Sold(NamedTuple):
    """What the chains of an account need of each of its orders: that is kept until all are read, so it is little."""

    number: int
    was_active: bool
    is_refunded: bool
    is_backed: bool
    """whether support refunded it"""
    is_invoiced: bool
    lines: tuple[SoldLine, ...]


def of_order(book: OrderBook) -> Sold:
    order, names = book.order, SoldLine._fields[:-1]
    lines = (
        SoldLine._make((*(getattr(line, name) for name in names), _corrected_tax(book, line))) for line in book.lines
    )
    refunded, backed = order.status is OrderStatus.REFUNDED, order.reason == REFUNDED_BY_SUPPORT
    return Sold(order.number, book.was_active, refunded, backed, bool(book.invoices), tuple(lines))


@dataclass(frozen=True, slots=True)
class Link:
    """A period with the line that charged it and, where a change closed it, the line that credited it."""

    period: PeriodBook
    order: Sold | None
    """None where it is another account's"""
    line: SoldLine | None
    credited_by: SoldLine | None

    @property
    def refunded(self) -> bool:
        """Whether its order was refunded; a trial of that order goes on."""
        return self.order is not None and self.order.is_refunded and self.period.interval is not None


def check_chains(books: Books, sold: Mapping[UUID, Sold]) -> Found:
    creditors = {
        line.from_period_id: line
        for order in sold.values()
        if order.is_invoiced
        for line in order.lines
        if line.from_period_id is not None
    }
    for subscription, periods in books.subscriptions:
        where = f"subscription {subscription.product_code} of account {books.account_id}"
        links = [_link(subscription, period, sold.get(period.order_id), creditors) for period in periods]
        for link in links:
            yield from _check_link(where, link)
        yield from _check_conservation(where, links)
        yield from _check_subscription(where, subscription, links)


def _link(
    subscription: SubscriptionBook, period: PeriodBook, order: Sold | None, creditors: Mapping[UUID, SoldLine]
) -> Link:
    lines = order.lines if order is not None else ()
    line = next((each for each in lines if each.product_code == subscription.product_code), None)
    return Link(period, order, line, creditors.get(period.id))


def _corrected_tax(book: OrderBook, line: OrderLine) -> int:
    corrections = (InvoiceReason.VAT_NUMBER_INVALID, InvoiceReason.VAT_NUMBER_CONFIRMED)
    by_documents: int = sum(
        document.sign * each.tax_minor
        for document in book.invoices
        if document.reason in corrections
        for each in book.invoice_lines.get(document.id, [])
        if each.position == line.position
    )
    taken_off: int = sum(
        each.facts.get("amount_minor", 0)
        for each in book.vat_taken_off
        if each.facts.get("product") == line.product_code
    )
    return by_documents - taken_off


def _check_link(where: str, link: Link) -> Found:
    period, line = link.period, link.line
    where = f"{where}, period from {period.starts_at:%Y-%m-%d %H:%M:%S}"
    if link.order is None:
        yield from differs(Check.PERIOD, where, "its order", "one of the account's", period.order_id)
        return
    having_been = f"order {link.order.number}, which charged it, having been active"
    yield from differs(Check.PERIOD, where, having_been, True, link.order.was_active)
    if line is None:
        yield from differs(Check.PERIOD, where, "a line that charged it", True, False)
        return
    charged = (line.charge_minor, line.charge_tax_minor + line.corrected_tax)
    yield from differs(
        Check.PERIOD, where, "what was charged for it, net and tax,", charged, (period.charged_minor, period.tax_minor)
    )
    yield from differs(
        Check.PERIOD, where, "its seats and tier", (line.seats, line.tier_code), (period.seats, period.tier_code)
    )
    if link.credited_by is not None:
        credit = (link.credited_by.unused_minor, link.credited_by.unused_tax_minor)
        yield from differs(Check.PERIOD, where, "what was credited of it, net and tax,", credit, _unused(period))
        yield from differs(
            Check.PERIOD, where, "the moment it was closed", link.credited_by.period_start, period.closed_at
        )
    elif _unused(period) != (0, 0):
        backed = link.order.is_backed
        yield from differs(Check.PERIOD, where, "a credit that an order or a refund gave", True, backed)


def _check_conservation(where: str, links: list[Link]) -> Found:
    """Paid = used + running, net and tax. A refund returns what its period was charged."""
    paid, cost = [_paid(link) for link in links], [_cost(link.period) for link in links]
    net_cost, net_paid = sum(each.net for each in cost), sum(each.net for each in paid)
    tax_cost, tax_paid = sum(each.tax for each in cost), sum(each.tax for each in paid)
    what = "paid, as used and running periods cost,"
    yield from differs(Check.CONSERVATION, where, f"net {what}", net_cost, net_paid)
    yield from differs(Check.CONSERVATION, where, f"tax {what}", tax_cost, tax_paid)


class _NetAndTax(NamedTuple):
    net: int
    tax: int


def _paid(link: Link) -> _NetAndTax:
    """What the customer paid in the end, less what was returned without a later line's credit."""
    net, tax = (link.line.net_minor, link.line.tax_minor + link.line.corrected_tax) if link.line is not None else (0, 0)
    back, tax_back = _unused(link.period) if link.credited_by is None else (0, 0)
    return _NetAndTax(net - back, tax - tax_back)


def _cost(period: PeriodBook) -> _NetAndTax:
    unused, unused_tax = _unused(period)
    return _NetAndTax(period.charged_minor - unused, period.tax_minor - unused_tax)


def _check_subscription(where: str, subscription: SubscriptionBook, links: list[Link]) -> Found:
    last = next((link for link in links if link.period.closed_at is None), None)
    if subscription.status is SubscriptionStatus.ENDED:
        yield from _check_ended(where, last)
        return
    if last is None:
        yield from differs(Check.SUBSCRIPTION, where, "a running period", True, False)
        return
    running = last.period
    yield from differs(Check.SUBSCRIPTION, where, "running on an order that was refunded", False, last.refunded)
    names = ("tier_code", "seats", "interval")
    expected = [*(getattr(running, name) for name in names), running.starts_at, running.ends_at]
    found = [*(getattr(subscription, name) for name in names), subscription.period_start, subscription.period_end]
    yield from differs(Check.SUBSCRIPTION, where, "what its running period says", expected, found)


def _check_ended(where: str, last: Link | None) -> Found:
    """Only a refund ends a subscription, and closes its period; a trial that is over has another status and keeps its period."""
    if last is not None:
        charged = f"charged by order {last.order.number}, " if last.order is not None else ""
        yield from differs(Check.SUBSCRIPTION, where, f"a period that runs, {charged}though it has ended", False, True)


def _unused(period: PeriodBook) -> tuple[int, int]:
    return period.unused_minor or 0, period.unused_tax_minor or 0
