"""A change in mid-period: shares, amounts, tax, refusals."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from models.rules.errors import RuleError, WrongType
from models.rules.money import NegativeAmount
from models.rules.period import Interval, Period, UnknownInterval
from models.rules.proration import (
    OutsidePeriod,
    Proration,
    Share,
    TaxProration,
    Unit,
    UnknownGranularity,
    reset_period,
    reset_tax,
    share_left,
)
from models.rules.timezone import NaiveDatetime, UnknownTimezone

BERLIN = "Europe/Berlin"
MICROSECOND = timedelta(microseconds=1)


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


NOVEMBER = Period(at("2026-11-01T00:00"), at("2026-12-01T00:00"))  # 30 days, 2 592 000 seconds


def change(**different: Any) -> Proration:
    given: dict[str, Any] = {
        "charged_minor": 9000,
        "period": NOVEMBER,
        "changed_at": at("2026-11-16T00:00"),
        "new_charge_minor": 12000,
        "new_interval": "month",
    }
    return reset_period(**(given | different))


def test_half_a_period_left_gives_half_the_charge_back() -> None:
    assert change() == Proration(4500, 4500, 12000, 7500, Period(at("2026-11-16T00:00"), at("2026-12-16T00:00")))


def test_a_cheaper_plan_leaves_a_credit() -> None:
    assert change(new_charge_minor=1000).net_minor == -3500


@pytest.mark.parametrize(
    ("changed_at", "unused"),
    [
        (NOVEMBER.start, 9000),
        (NOVEMBER.start + timedelta(seconds=1), 9000),  # 8999.9965
        (NOVEMBER.start + timedelta(seconds=144), 9000),  # 8999.5: a half, up
        (NOVEMBER.start + timedelta(seconds=144) + MICROSECOND, 8999),
        (NOVEMBER.end - timedelta(seconds=144), 1),  # 0.5
        (NOVEMBER.end - timedelta(seconds=144) + MICROSECOND, 0),
        (NOVEMBER.end - timedelta(seconds=1), 0),
        (NOVEMBER.end - MICROSECOND, 0),
    ],
)
def test_the_credit_is_exact_from_the_first_instant_to_the_last(changed_at: datetime, unused: int) -> None:
    result = change(changed_at=changed_at)
    assert (result.unused_minor, result.used_minor) == (unused, 9000 - unused)


@pytest.mark.parametrize(("charged", "unused"), [(0, 0), (1, 1), (2, 1), (3, 2), (10**18 + 1, 5 * 10**17 + 1)])
def test_half_a_cent_is_given_to_the_customer(charged: int, unused: int) -> None:
    assert change(charged_minor=charged).unused_minor == unused


def test_a_free_plan_gives_nothing_back_and_costs_nothing() -> None:
    assert change(charged_minor=0, new_charge_minor=0)[:4] == (0, 0, 0, 0)


def test_the_new_period_may_be_a_year() -> None:
    assert change(new_interval=Interval.YEAR).new_period.end == at("2027-11-16T00:00")


def test_a_year_given_up_on_its_second_day_gives_364_days_back() -> None:
    year = Period(at("2026-01-01T00:00"), at("2027-01-01T00:00"))
    assert change(charged_minor=36500, period=year, changed_at=at("2026-01-02T00:00")).unused_minor == 36400


def test_a_leap_year_has_366_days() -> None:
    year = Period(at("2028-01-01T00:00"), at("2029-01-01T00:00"))
    assert share_left(period=year, changed_at=at("2028-02-29T00:00"), granularity="day") == Share(307, 366, Unit.DAY)


def test_seconds_are_counted_in_whole_numbers() -> None:
    assert share_left(period=NOVEMBER, changed_at=at("2026-11-16T12:00")) == Share(1_252_800, 2_592_000, Unit.SECOND)


def test_a_fraction_of_a_second_is_counted_in_microseconds() -> None:
    left = share_left(period=NOVEMBER, changed_at=NOVEMBER.end - MICROSECOND)
    assert left == Share(1, 2_592_000_000_000, Unit.MICROSECOND)


def test_a_period_that_does_not_last_whole_seconds_is_counted_in_microseconds_whatever_is_left_of_it() -> None:
    longer = Period(NOVEMBER.start - MICROSECOND, NOVEMBER.end)
    left = share_left(period=longer, changed_at=NOVEMBER.start)
    assert left == Share(2_592_000_000_000, 2_592_000_000_001, Unit.MICROSECOND)


@pytest.mark.parametrize(
    ("changed_at", "remaining"),
    [
        ("2026-11-01T00:00", 30),
        ("2026-11-01T23:59:59", 30),
        ("2026-11-02T00:00", 29),
        ("2026-11-30T00:00", 1),
        ("2026-11-30T23:59:59", 1),
    ],
)
def test_the_day_of_the_change_belongs_to_the_new_plan(changed_at: str, remaining: int) -> None:
    assert share_left(period=NOVEMBER, changed_at=at(changed_at), granularity="day") == Share(remaining, 30, Unit.DAY)


@pytest.mark.parametrize(
    ("zone", "remaining"), [("UTC", 16), ("Europe/Berlin", 15), ("America/New_York", 16), ("Pacific/Kiritimati", 15)]
)
def test_days_are_those_of_the_accounts_calendar(zone: str, remaining: int) -> None:
    period = Period(at("2026-11-01T12:00", zone), at("2026-12-01T12:00", zone))
    late = at("2026-11-15T23:30")  # already the 16th in Berlin
    assert share_left(period=period, changed_at=late, granularity="day", timezone=zone) == Share(
        remaining, 30, Unit.DAY
    )


def test_a_period_cut_in_mid_day_gives_its_last_day_to_the_next() -> None:
    period = Period(at("2026-11-10T15:00"), at("2026-12-10T15:00"))
    assert share_left(period=period, changed_at=at("2026-12-09T23:59"), granularity="day") == Share(1, 30, Unit.DAY)
    assert share_left(period=period, changed_at=at("2026-12-10T00:00"), granularity="day") == Share(0, 30, Unit.DAY)


def test_an_hour_lost_to_summer_time_is_no_day_lost() -> None:
    march = Period(at("2026-03-01T00:00", BERLIN), at("2026-04-01T00:00", BERLIN))
    noon = at("2026-03-29T12:00", BERLIN)
    assert share_left(period=march, changed_at=noon, granularity="day", timezone=BERLIN) == Share(3, 31, Unit.DAY)
    assert share_left(period=march, changed_at=noon) == Share(60 * 3600, (31 * 24 - 1) * 3600, Unit.SECOND)


def test_a_night_is_one_day() -> None:
    night = Period(at("2026-11-01T20:00"), at("2026-11-02T08:00"))
    assert share_left(period=night, changed_at=at("2026-11-01T23:59"), granularity="day") == Share(1, 1, Unit.DAY)
    assert share_left(period=night, changed_at=at("2026-11-02T00:00"), granularity="day") == Share(0, 1, Unit.DAY)


def test_days_need_a_period_that_reaches_another_day() -> None:
    hours = Period(at("2026-11-01T08:00"), at("2026-11-01T20:00"))
    with pytest.raises(RuleError, match="begins and ends on 2026-11-01 in UTC; count it in seconds"):
        share_left(period=hours, changed_at=at("2026-11-01T12:00"), granularity="day")


def test_a_clock_set_back_over_midnight_gives_no_day_twice() -> None:
    zone = "America/St_Johns"  # until 2011 it set its clocks back at one minute past midnight
    period = Period(at("2010-11-07T00:00:30", zone), at("2010-12-07T00:00", zone))
    yesterday_again = period.start + timedelta(minutes=30)
    assert yesterday_again.astimezone(ZoneInfo(zone)).date() == date(2010, 11, 6)
    assert share_left(period=period, changed_at=yesterday_again, granularity="day", timezone=zone) == Share(
        30, 30, Unit.DAY
    )


def test_the_new_plan_renews_on_the_day_of_the_change_in_the_accounts_zone() -> None:
    late = at("2026-11-15T23:30")
    assert change(changed_at=late, timezone=BERLIN).new_period.end == at("2026-12-16T00:30", BERLIN)
    assert change(changed_at=late).new_period.end == at("2026-12-15T23:30")


def test_an_anchor_day_is_where_the_new_plan_renews() -> None:
    assert change(changed_at=at("2026-11-30T00:00"), anchor_day=31).new_period.end == at("2026-12-31T00:00")


def test_a_change_given_in_another_zone_is_the_same_instant() -> None:
    assert change(changed_at=at("2026-11-16T01:00", BERLIN)) == change()


@pytest.mark.parametrize("changed_at", [NOVEMBER.start - MICROSECOND, NOVEMBER.end, NOVEMBER.end + timedelta(days=400)])
def test_a_change_outside_the_period_is_refused(changed_at: datetime) -> None:
    with pytest.raises(OutsidePeriod, match="is not in the period 2026-11-01T00:00:00"):
        change(changed_at=changed_at)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"charged_minor": -1}, NegativeAmount, "charged_minor must be zero or more"),
        ({"new_charge_minor": -1}, NegativeAmount, "new_charge_minor must be zero or more"),
        ({"charged_minor": 90.0}, WrongType, "charged_minor must be an int of minor units"),
        ({"new_charge_minor": Decimal(120)}, WrongType, "new_charge_minor must be an int of minor units"),
        ({"new_charge_minor": True}, WrongType, "new_charge_minor must be an int of minor units"),
        ({"changed_at": datetime(2026, 11, 16)}, NaiveDatetime, "changed_at 2026-11-16T00:00:00 has no time zone"),  # noqa: DTZ001
        ({"changed_at": date(2026, 11, 16)}, WrongType, "changed_at must be an aware datetime"),
        ({"period": (NOVEMBER.start, NOVEMBER.end)}, WrongType, "period must be a Period"),
        ({"new_interval": "quarter"}, UnknownInterval, "interval must be 'month' or 'year'"),
        ({"new_interval": None}, WrongType, "interval must be 'month' or 'year'"),
        ({"granularity": "hour"}, UnknownGranularity, "granularity must be 'second' or 'day'"),
        ({"granularity": None}, WrongType, "granularity must be 'second' or 'day'"),
        ({"timezone": "Europe/Atlantis"}, UnknownTimezone, "'Europe/Atlantis' is not a time zone"),
        ({"timezone": UTC}, WrongType, "timezone must be an IANA name"),
        ({"anchor_day": 0}, RuleError, "anchor_day must be a day of the month, 1 to 31"),
        ({"anchor_day": 32}, RuleError, "anchor_day must be a day of the month, 1 to 31"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(
    wrong: dict[str, Any], error: type[RuleError], message: str
) -> None:
    with pytest.raises(error, match=message):
        change(**wrong)


@pytest.mark.parametrize(
    ("original_tax", "rate", "unused", "credit"),
    [
        (1710, "19", 4500, 855),
        (1710, "19", 9000, 1710),
        (1710, "19", 0, 0),
        (1, "19", 5, 1),  # 0.95
        (1, "19", 8, 1),  # 1.52 would be 2: never more than was charged
        (0, "0", 4500, 0),
        (0, "19", 4500, 0),  # reverse charge then: nothing to give back
        (3, "25", 10, 3),  # 2.5, up
    ],
)
def test_tax_is_given_back_at_the_rate_of_then_and_never_more_than_charged(
    original_tax: int, rate: str, unused: int, credit: int
) -> None:
    divided = reset_tax(original_tax_minor=original_tax, original_rate=Decimal(rate), unused_minor=unused)
    assert divided == TaxProration(credit, original_tax - credit)


@pytest.mark.parametrize("wrong", [{"original_tax_minor": 1.0}, {"original_rate": 19.0}, {"unused_minor": None}])
def test_tax_is_divided_only_of_exact_numbers(wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"original_tax_minor": 19, "original_rate": Decimal(19), "unused_minor": 50}
    with pytest.raises(WrongType):
        reset_tax(**(given | wrong))
