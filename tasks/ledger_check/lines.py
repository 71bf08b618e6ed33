"""Checks that an order is the sum of its lines, and a line is what the rules compute from its stored facts."""

from decimal import Decimal

from models.invoices import InvoiceReason
from models.orders import Order, OrderLine
from models.rules.errors import RuleError
from models.rules.period import Period, period_end
from models.rules.pricing import charge, tax
from models.rules.proration import Granularity, Unit, share_left, unused_credit
from models.sold_to import credit_timezones, kept_timezone
from models.subscriptions import SubscriptionPeriod
from tasks.ledger_check.books import OrderBook
from tasks.ledger_check.differences import Check, Found, differs

_SUMS = ("net_minor", "tax_minor", "total_minor")


def check_lines(book: OrderBook) -> Found:
    for name in _SUMS:
        total = sum(getattr(line, name) for line in book.lines)
        yield from differs(Check.ORDER, book.where, f"{name}, the sum of its lines,", total, getattr(book.order, name))
    first = next((d for d in book.invoices if d.reason is InvoiceReason.ORDER), None)
    for line in book.lines:
        where = f"{book.where}, line {line.position}"
        yield from _by_the_rules(where, "its charge", _check_charge(where, line))
        if book.is_active:
            given = line.product_code in book.given
            yield from differs(Check.LINE, where, "a period of what it bought", True, given)
        if first is not None and line.interval is not None:
            zone = kept_timezone(book.order) or first.timezone
            yield from _by_the_rules(where, "its period", _check_dates(where, book.order, line, zone))
            credit = _check_credit(where, book, line, zone)
            yield from _by_the_rules(where, "its credit", credit)


def _by_the_rules(where: str, of: str, check: Found) -> Found:
    """The differences. Facts that the rules refuse are a difference, too, and do not end the check of the others."""
    try:
        yield from check
    except RuleError as refused:
        yield from differs(Check.LINE, where, f"the facts of {of}", "such as the rules accept", str(refused))


def _check_charge(where: str, line: OrderLine) -> Found:
    unit = line.unit_minor if line.interval is not None else 0
    expected = charge(unit_price_minor=unit, seats=line.seats)
    yield from differs(Check.LINE, where, "its charge, price times seats,", expected, line.charge_minor)
    expected = tax(net_minor=line.charge_minor, rate=line.tax_rate)
    yield from differs(
        Check.LINE, where, f"the tax on its charge at {line.tax_rate} %", expected, line.charge_tax_minor
    )
    if line.from_period_id is None:
        yield from differs(Check.LINE, where, "its credit, there being no period to credit,", 0, line.unused_minor)


def _check_dates(where: str, order: Order, line: OrderLine, zone: str) -> Found:
    if line.interval is None:
        return
    yield from differs(Check.LINE, where, "the start of its period", order.as_of, line.period_start)
    end = period_end(order.as_of, line.interval, timezone=zone, anchor_day=line.anchor_day)
    yield from differs(Check.LINE, where, "the end of its period", end, line.period_end)


def _check_credit(where: str, book: OrderBook, line: OrderLine, zone: str) -> Found:
    if line.from_period_id is None or line.interval is None:
        return
    if line.from_period_start is None or line.from_period_end is None or line.from_charged_minor is None:
        yield from differs(Check.LINE, where, "knowing the period it credits", True, False)
        return
    period, charged = book.credited.get(line.from_period_id, (None, None))
    yield from _check_credited(where, line, period)
    elsewhere = credit_timezones(book.order).get(line.product_code)
    if elsewhere is not None:
        charged_in = kept_timezone(charged) if charged is not None else None
        yield from differs(Check.LINE, where, "the time zone of the period it credits", charged_in, elsewhere)
        zone = elsewhere
    running = Period(line.from_period_start, line.from_period_end)
    granularity = Granularity.DAY if line.share_unit == Unit.DAY else Granularity.SECOND
    share = share_left(period=running, changed_at=book.order.as_of, granularity=granularity, timezone=zone)
    stored = (line.share_left, line.share_whole, line.share_unit)
    yield from differs(Check.LINE, where, "the share that is left", (share.remaining, share.whole, share.unit), stored)
    unused = unused_credit(charged_minor=line.from_charged_minor, share=share)
    yield from differs(Check.LINE, where, "its credit for unused time", unused, line.unused_minor)
    if period is not None:
        credit = min(tax(net_minor=line.unused_minor, rate=line.from_tax_rate or Decimal(0)), period.tax_minor)
        yield from differs(Check.LINE, where, "the tax on its credit", credit, line.unused_tax_minor)


def _check_credited(where: str, line: OrderLine, period: SubscriptionPeriod | None) -> Found:
    if period is None:
        yield from differs(Check.LINE, where, "the period it credits", line.from_period_id, None)
        return
    stored = (line.from_period_start, line.from_period_end, line.from_charged_minor)
    of_period = (period.starts_at, period.ends_at, period.charged_minor)
    yield from differs(Check.LINE, where, "start, end and charge of the period it credits", of_period, stored)
