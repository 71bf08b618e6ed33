"""The laws of a quote: every line adds up, the lines add up to the total, and the total to how it is settled."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.orders import PricedLine
from models.rules.cart import Action, CartLine, Offer
from models.rules.period import Interval, Period, anchor_day_of, period_end
from models.rules.proration import Granularity, reset_period
from models.rules.quote import Quoted, compute, needs_payment_details
from models.rules.quoted_line import Clock, QuotedLine, RunningPeriod
from models.rules.vat import Treatment, VatDecision

NOW = datetime(2026, 11, 12, 9, 30, tzinfo=UTC)
PRODUCTS = ("chat", "desk", "docs", "mail", "wiki")

prices = st.integers(0, 10**6) | st.integers(0, 20)
seats = st.integers(1, 1000)
rates = st.decimals(0, 27, places=1)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago"])


@dataclass(frozen=True)
class Wanted:
    """A cart of several products, and what the account has of some of them."""

    cart: list[CartLine]
    offers: Mapping[str, Offer]
    running: Mapping[str, RunningPeriod]
    vat: VatDecision
    balance_minor: int
    charge_unit_minor: int

    def quoted(self, cart: list[CartLine] | None = None) -> Quoted:
        return compute(
            self.cart if cart is None else cart,
            offers=self.offers,
            running=self.running,
            vat=self.vat,
            balance_minor=self.balance_minor,
            clock=Clock(NOW, "Europe/Berlin"),
            charge_unit_minor=self.charge_unit_minor,
        )


@st.composite
def wanted(draw: st.DrawFn) -> Wanted:
    cart, offers, running = [], {}, {}
    for product in draw(st.lists(st.sampled_from(PRODUCTS), min_size=1, unique=True)):
        action, interval = draw(st.sampled_from(Action)), draw(st.sampled_from(Interval))
        offers[product] = Offer({"team": 1}, {("team", interval): draw(prices)}, trial_days=14)
        if action is Action.CHANGE:
            running[product] = draw(running_periods)
        cart.append(CartLine(action, product, "team", draw(seats), None if action is Action.TRIAL else interval))
    return Wanted(
        cart,
        offers,
        running,
        VatDecision(Treatment.DOMESTIC, draw(rates), None),
        draw(st.integers(0, 10**8) | st.just(0)),
        draw(st.sampled_from([1, 10, 100])),
    )


@st.composite
def _running(draw: st.DrawFn) -> RunningPeriod:
    begun, left = draw(st.integers(0, 86_400 * 300)), draw(st.integers(1, 86_400 * 300))
    period = Period(NOW - timedelta(seconds=begun), NOW + timedelta(seconds=left))
    charged, rate = draw(prices), draw(rates)
    tax_minor = int(charged * rate / 100)
    return RunningPeriod(None, "team", draw(seats), Interval.MONTH, period, charged, tax_minor, rate)


running_periods = _running()


@given(it=wanted())
def test_every_line_adds_up(it: Wanted) -> None:
    for line in it.quoted().lines:
        assert line.net_minor == line.charge_minor - line.unused_minor
        assert line.tax_minor == line.charge_tax_minor - line.unused_tax_minor
        assert line.total_minor == line.net_minor + line.tax_minor
        assert line.charge_minor == line.unit_minor * line.seats
        assert line.period_start <= NOW < line.period_end


@given(it=wanted(), data=st.data())
def test_lines_add_up_to_the_total_in_any_order(it: Wanted, data: Any) -> None:
    quoted, shuffled = it.quoted(), it.quoted(data.draw(st.permutations(it.cart)))
    for each in (quoted, shuffled):
        assert each.net_minor == sum(line.net_minor for line in each.lines)
        assert each.tax_minor == sum(line.tax_minor for line in each.lines)
        assert each.total_minor == each.net_minor + each.tax_minor
    assert settled(shuffled) == settled(quoted)


def settled(quoted: Quoted) -> tuple[int, ...]:
    return (quoted.total_minor, quoted.balance_used_minor, quoted.due_minor, quoted.to_balance_minor)


@given(it=wanted())
def test_the_total_is_settled_to_the_cent(it: Wanted) -> None:
    quoted = it.quoted()
    assert quoted.total_minor == quoted.due_minor + quoted.balance_used_minor - quoted.to_balance_minor
    assert 0 <= quoted.balance_used_minor <= it.balance_minor
    assert quoted.due_minor >= 0
    assert quoted.due_minor % it.charge_unit_minor == 0
    assert quoted.due_minor == 0 or quoted.to_balance_minor < it.charge_unit_minor


@given(begun=st.integers(0, 86_400 * 27), charged=prices, rate=rates, charged_in=zones, here=zones)
def test_where_the_account_is_now_changes_the_new_period_and_no_credit(
    begun: int, charged: int, rate: Decimal, charged_in: str, here: str
) -> None:
    start = NOW - timedelta(seconds=begun)
    period = Period(start, period_end(start, Interval.MONTH, timezone=charged_in))
    held = RunningPeriod(None, "team", 9, Interval.MONTH, period, charged, charged // 5, rate, charged_in)
    there, moved = (
        compute(
            [CartLine(Action.CHANGE, "desk", None, 10, None)],
            offers={"desk": Offer({"team": 1}, {("team", Interval.MONTH): 10_00}, trial_days=14)},
            running={"desk": held},
            vat=VatDecision(Treatment.DOMESTIC, rate, None),
            balance_minor=0,
            clock=Clock(NOW, zone, Granularity.DAY),
        ).lines[0]
        for zone in (charged_in, here)
    )
    alone = reset_period(
        charged_minor=charged,
        period=period,
        changed_at=NOW,
        new_charge_minor=0,
        new_interval=Interval.MONTH,
        granularity=Granularity.DAY,
        timezone=charged_in,
    )
    renews = period_end(NOW, Interval.MONTH, timezone=here)
    assert moved == replace(there, period_end=renews, anchor_day=anchor_day_of(NOW, here))
    assert moved.unused_minor + alone.used_minor == charged


@given(it=wanted())
def test_equal_wishes_have_equal_digests_and_a_line_less_has_another(it: Wanted) -> None:
    assert it.quoted().digest == it.quoted().digest != it.quoted(it.cart[:-1]).digest


def test_a_quoted_line_has_what_a_priced_one_keeps() -> None:
    assert {field.name for field in fields(QuotedLine)} == set(PricedLine.__annotations__)


@pytest.mark.parametrize(
    ("total", "actions", "needed"),
    [
        (1, [Action.CHANGE], True),
        (0, [Action.CHANGE, Action.TRIAL], False),
        (-1, [Action.CHANGE], False),
        (0, [Action.TRIAL, Action.PURCHASE], True),
        (-1, [Action.CHANGE, Action.PURCHASE], True),
    ],
)
def test_payment_details_are_needed_for_what_costs_something_and_for_every_purchase(
    total: int, actions: list[Action], needed: bool
) -> None:
    assert needs_payment_details(total, actions) is needed
