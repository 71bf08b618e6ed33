"""The laws of money, over random chains of changes: nothing is lost, nothing is found, nothing is rounded twice."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from models.rules.errors import RuleError
from models.rules.money import round_half_up
from models.rules.period import Interval, Period, anchor_day_of, period_end
from models.rules.pricing import charge, tax
from models.rules.proration import Granularity, Proration, reset_period, reset_tax, share_left
from tests.rules.renewals import renewals

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Asia/Kathmandu",
]
ZONES += [
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Atlantic/Azores",
    "America/Nuuk",
]

amounts = st.integers(0, 10**9) | st.integers(0, 20) | st.just(0)
rates = st.decimals(0, 27, places=1) | st.sampled_from([Decimal(19), Decimal("25.5"), Decimal(0)])
zones = st.sampled_from(ZONES)
intervals = st.sampled_from(Interval)
granularities = st.sampled_from(Granularity)
anchor_days = st.none() | st.integers(1, 31)
instants = st.datetimes(datetime(1995, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
fractions = st.fractions(0, 1).filter(lambda part: part < 1) | st.just(Fraction(0))


@dataclass(frozen=True)
class Change:
    """A plan taken after `part` of the running period: its charge, interval, and the rate its tax is charged at."""

    part: Fraction
    charge_minor: int
    interval: Interval
    rate: Decimal


changes = st.lists(st.builds(Change, fractions, amounts, intervals, rates), min_size=1, max_size=8)


def instant(period: Period, part: Fraction) -> datetime:
    return period.start + timedelta(microseconds=int((period.end - period.start) // timedelta(microseconds=1) * part))


def first_period(start: datetime, interval: Interval, zone: str) -> Period:
    return Period(start, period_end(start, interval, timezone=zone))


def run(
    first_charge: int, start: datetime, chain: list[Change], zone: str, granularity: Granularity
) -> list[Proration]:
    """The prorations of a chain of changes, each within the period that the one before it began."""
    charged, period, done = first_charge, first_period(start, Interval.MONTH, zone), []
    for change in chain:
        step = reset_period(
            charged_minor=charged,
            period=period,
            changed_at=instant(period, change.part),
            new_charge_minor=change.charge_minor,
            new_interval=change.interval,
            granularity=granularity,
            timezone=zone,
        )
        charged, period = step.new_charge_minor, step.new_period
        done.append(step)
    return done


@given(first_charge=amounts, start=instants, chain=changes, zone=zones, granularity=granularities)
def test_over_any_chain_what_is_paid_is_what_was_used_and_what_runs_now(
    first_charge: int, start: datetime, chain: list[Change], zone: str, granularity: Granularity
) -> None:
    done = run(first_charge, start, chain, zone, granularity)
    paid = first_charge + sum(step.net_minor for step in done)
    assert paid == sum(step.used_minor for step in done) + done[-1].new_charge_minor


@given(first_charge=amounts, start=instants, chain=changes, zone=zones, granularity=granularities)
def test_every_cent_charged_is_either_used_or_given_back(
    first_charge: int, start: datetime, chain: list[Change], zone: str, granularity: Granularity
) -> None:
    charged = [first_charge, *(change.charge_minor for change in chain)]
    for before, step in zip(charged[:-1], run(first_charge, start, chain, zone, granularity), strict=True):
        assert step.unused_minor + step.used_minor == before
        assert 0 <= step.unused_minor <= before
        assert step.net_minor == step.new_charge_minor - step.unused_minor


@given(first_charge=amounts, start=instants, chain=changes, zone=zones, first_rate=rates)
def test_every_cent_of_tax_is_either_used_or_given_back_though_every_plan_had_its_own_rate(
    first_charge: int, start: datetime, chain: list[Change], zone: str, first_rate: Decimal
) -> None:
    running, rate = tax(net_minor=first_charge, rate=first_rate), first_rate
    paid, used = running, 0
    for change, step in zip(chain, run(first_charge, start, chain, zone, Granularity.SECOND), strict=True):
        divided = reset_tax(original_tax_minor=running, original_rate=rate, unused_minor=step.unused_minor)
        assert divided.credit_tax_minor + divided.used_tax_minor == running
        assert 0 <= divided.credit_tax_minor <= running
        running, rate = tax(net_minor=change.charge_minor, rate=change.rate), change.rate
        paid, used = paid + running - divided.credit_tax_minor, used + divided.used_tax_minor
    assert paid == used + running


@given(charged=amounts, rate=rates, start=instants, interval=intervals, zone=zones, granularity=granularities)
def test_a_plan_held_for_no_time_costs_nothing_and_neither_does_its_tax(
    charged: int, rate: Decimal, start: datetime, interval: Interval, zone: str, granularity: Granularity
) -> None:
    period = first_period(start, interval, zone)
    step = reset_period(
        charged_minor=charged,
        period=period,
        changed_at=start,
        new_charge_minor=0,
        new_interval=interval,
        granularity=granularity,
        timezone=zone,
    )
    original = tax(net_minor=charged, rate=rate)
    divided = reset_tax(original_tax_minor=original, original_rate=rate, unused_minor=step.unused_minor)
    assert (step.used_minor, divided.used_tax_minor) == (0, 0)


@given(charged=amounts, start=instants, zone=zones, parts=st.tuples(fractions, fractions), granularity=granularities)
def test_the_later_the_change_the_smaller_the_credit(
    charged: int, start: datetime, zone: str, parts: tuple[Fraction, Fraction], granularity: Granularity
) -> None:
    period = first_period(start, Interval.YEAR, zone)
    given_back = [
        reset_period(
            charged_minor=charged,
            period=period,
            changed_at=instant(period, part),
            new_charge_minor=0,
            new_interval="month",
            granularity=granularity,
            timezone=zone,
        ).unused_minor
        for part in sorted(parts)
    ]
    # Where a clock is set back over midnight, yesterday's date comes again for an hour: a day's credit at most.
    slack = charged // 365 + 1 if granularity is Granularity.DAY else 0
    assert given_back[0] + slack >= given_back[1]


@given(charged=amounts, start=instants, interval=intervals, part=fractions)
def test_the_credit_is_the_exact_share_rounded_by_decimal_arithmetic_too(
    charged: int, start: datetime, interval: Interval, part: Fraction
) -> None:
    period = first_period(start, interval, "UTC")
    at = instant(period, part)
    exact = Fraction(
        (period.end - at) // timedelta(microseconds=1) * charged,
        (period.end - period.start) // timedelta(microseconds=1),
    )
    found = reset_period(
        charged_minor=charged, period=period, changed_at=at, new_charge_minor=0, new_interval="month"
    ).unused_minor
    assert -Fraction(1, 2) < found - exact <= Fraction(1, 2)


@given(start=instants, interval=intervals, zone=zones, part=fractions)
def test_what_is_left_is_part_of_the_whole(start: datetime, interval: Interval, zone: str, part: Fraction) -> None:
    period = first_period(start, interval, zone)
    for granularity in Granularity:
        left = share_left(period=period, changed_at=instant(period, part), granularity=granularity, timezone=zone)
        assert 0 <= left.remaining <= left.whole
        assert left.whole > 0


@given(start=instants, interval=intervals, zone=zones, anchor_day=anchor_days)
def test_renewals_meet_without_gap_or_overlap(
    start: datetime, interval: Interval, zone: str, anchor_day: int | None
) -> None:
    found = list(islice(renewals(start, interval, timezone=zone, anchor_day=anchor_day), 15))
    assert found[0].start == start
    assert all(before.end == after.start for before, after in pairwise(found))


@given(start=instants, interval=intervals, zone=st.sampled_from(["UTC", "Asia/Kolkata", "Europe/Berlin"]))
def test_every_renewal_falls_on_the_anchor_day_or_the_months_last(
    start: datetime, interval: Interval, zone: str
) -> None:
    anchor = anchor_day_of(start, zone)
    for period in islice(renewals(start, interval, timezone=zone), 15):
        end = period.end.astimezone(ZoneInfo(zone))
        tomorrow = (end + timedelta(days=1)).day
        assert end.day == anchor or (end.day < anchor and tomorrow == 1)


@given(price=st.integers(0, 10**7), seats=st.integers(0, 10**5), more=st.integers(0, 10**5))
def test_seats_cost_the_same_bought_together_or_apart(price: int, seats: int, more: int) -> None:
    together = charge(unit_price_minor=price, seats=seats + more)
    assert together == charge(unit_price_minor=price, seats=seats) + charge(unit_price_minor=price, seats=more)


@given(value=st.fractions() | st.decimals(allow_nan=False, allow_infinity=False, places=6) | st.integers())
def test_rounding_is_to_the_nearest_and_a_credit_mirrors_its_charge(value: Fraction | Decimal | int) -> None:
    rounded = round_half_up(value)
    assert abs(rounded - Fraction(value)) <= Fraction(1, 2)
    assert round_half_up(-Fraction(value)) == -rounded


JUNK = st.none() | st.booleans() | st.floats() | st.text(max_size=4) | st.integers() | st.dates() | st.datetimes()


@given(
    name=st.sampled_from(["charged_minor", "period", "changed_at", "new_charge_minor", "new_interval", "granularity"]),
    junk=JUNK,
)
def test_junk_is_refused_by_a_rule_error_and_by_no_other(name: str, junk: Any) -> None:
    period = Period(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    question: dict[str, Any] = {
        "charged_minor": 100,
        "period": period,
        "changed_at": period.start,
        "new_charge_minor": 100,
        "new_interval": "month",
    }
    assume(not (name.endswith("_minor") and type(junk) is int and junk >= 0))
    assume(junk not in ("month", "year", "second", "day"))
    try:
        reset_period(**(question | {name: junk}))
    except RuleError as error:
        assert str(error)  # noqa: PT017
    else:
        raise AssertionError(f"{name}={junk!r} was taken")
