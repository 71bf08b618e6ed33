"""Where periods end: anchor days, leap years, clocks that jump."""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from models.rules.errors import RuleError, WrongType
from models.rules.period import (
    Interval,
    InvertedPeriod,
    Period,
    UnknownInterval,
    anchor_day_of,
    period_end,
)
from models.rules.timezone import NaiveDatetime, UnknownTimezone
from tests.rules.renewals import renewals

BERLIN = "Europe/Berlin"


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def ends(start: str, interval: str, count: int, zone: str = "UTC", anchor_day: int | None = None) -> list[str]:
    found = renewals(at(start, zone), interval, timezone=zone, anchor_day=anchor_day)
    return [each.end.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes")[:16] for each in islice(found, count)]


def test_a_period_keeps_utc_whatever_zone_it_was_given_in() -> None:
    period = Period(at("2026-07-01T00:00", BERLIN), at("2026-08-01T00:00", "America/New_York"))
    assert period == Period(at("2026-06-30T22:00"), at("2026-08-01T04:00"))
    assert (period.start.tzinfo, period.end.tzinfo) == (UTC, UTC)


@pytest.mark.parametrize("end", ["2026-01-01T00:00", "2025-12-31T23:59:59.999999"])
def test_a_period_that_does_not_end_after_its_start_is_refused(end: str) -> None:
    with pytest.raises(InvertedPeriod, match="must end after its start"):
        Period(at("2026-01-01T00:00"), at(end))


@pytest.mark.parametrize("bad", [date(2026, 1, 1), "2026-01-01", 0, None])
def test_a_period_of_anything_but_datetimes_is_a_wrong_type(bad: Any) -> None:
    with pytest.raises(WrongType, match=r"period.start must be an aware datetime"):
        Period(bad, at("2026-02-01T00:00"))


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(NaiveDatetime, match=r"period.end 2026-02-01T00:00:00 has no time zone"):
        Period(at("2026-01-01T00:00"), datetime(2026, 2, 1))  # noqa: DTZ001


def test_a_moment_that_utc_cannot_show_is_refused() -> None:
    with pytest.raises(RuleError, match="outside the years 1 to 9999"):
        Period(datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), at("2026-02-01T00:00"))


def test_the_anchor_day_survives_short_months() -> None:
    assert ends("2026-01-31T09:30", "month", 4) == [
        "2026-02-28T09:30",
        "2026-03-31T09:30",
        "2026-04-30T09:30",
        "2026-05-31T09:30",
    ]


def test_the_anchor_day_survives_february_of_a_leap_year() -> None:
    assert ends("2028-01-30T00:00", "month", 2) == ["2028-02-29T00:00", "2028-03-30T00:00"]


def test_a_leap_day_returns_every_fourth_year() -> None:
    years = ["2025-02-28T00:00", "2026-02-28T00:00", "2027-02-28T00:00", "2028-02-29T00:00"]
    assert ends("2024-02-29T00:00", "year", 4) == years


def test_without_its_anchor_day_a_renewal_forgets_it() -> None:
    february = Period(at("2026-01-31T00:00"), at("2026-02-28T00:00"))
    assert period_end(february.end, "month") == at("2026-03-28T00:00")
    assert period_end(february.end, "month", anchor_day=31) == at("2026-03-31T00:00")


@pytest.mark.parametrize(
    ("anchor_day", "end"),
    [(1, "2026-02-01T10:00"), (15, "2026-02-15T10:00"), (28, "2026-02-28T10:00"), (31, "2026-02-28T10:00")],
)
def test_the_first_period_goes_to_the_anchor_day_of_the_next_month(anchor_day: int, end: str) -> None:
    assert period_end(at("2026-01-20T10:00"), "month", anchor_day=anchor_day) == at(end)


def test_december_goes_on_in_january() -> None:
    assert ends("2026-12-15T00:00", Interval.MONTH, 1) == ["2027-01-15T00:00"]


def test_the_day_and_the_month_are_those_of_the_account_not_of_utc() -> None:
    start = at("2026-01-31T15:30")  # 1 February, half past midnight, in Tokyo
    assert anchor_day_of(start, "Asia/Tokyo") == 1
    assert period_end(start, "month", timezone="Asia/Tokyo") == at("2026-03-01T00:30", "Asia/Tokyo")
    assert period_end(start, "month") == at("2026-02-28T15:30")


def test_the_wall_clock_stays_when_summer_time_begins() -> None:
    start = at("2026-03-15T09:00", BERLIN)
    end = period_end(start, "month", timezone=BERLIN)
    assert end == at("2026-04-15T09:00", BERLIN)
    assert end - start.astimezone(UTC) == timedelta(days=31, hours=-1)


def test_a_time_that_the_clock_skips_comes_as_much_later() -> None:
    assert period_end(at("2026-02-28T02:30", BERLIN), "month", timezone=BERLIN, anchor_day=29) == at("2026-03-29T01:30")
    assert ends("2026-02-28T02:30", "month", 2, BERLIN, 29) == ["2026-03-29T03:30", "2026-04-29T03:30"]


def test_a_time_that_the_clock_shows_twice_means_the_first() -> None:
    assert period_end(at("2026-09-25T02:30", BERLIN), "month", timezone=BERLIN) == at("2026-10-25T00:30")


def test_a_start_in_the_second_showing_of_an_hour_is_that_instant() -> None:
    second_showing = at("2026-10-25T02:30", BERLIN).replace(fold=1)
    assert Period(second_showing, at("2026-11-25T00:00")).start == at("2026-10-25T01:30")
    assert period_end(second_showing, "month", timezone=BERLIN) == at("2026-11-25T02:30", BERLIN)


def test_half_hours_of_summer_time_count_too() -> None:
    assert period_end(at("2026-09-04T02:15", "Australia/Lord_Howe"), "month", timezone="Australia/Lord_Howe") == at(
        "2026-10-04T02:45", "Australia/Lord_Howe"
    )


@pytest.mark.parametrize("interval", ["week", "MONTH", "monthly", ""])
def test_an_unknown_interval_is_refused(interval: str) -> None:
    with pytest.raises(UnknownInterval, match="interval must be 'month' or 'year'"):
        period_end(at("2026-01-01T00:00"), interval)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Mars/Olympus",
        "Europe",
        "../etc/passwd",
        "/etc/localtime",
        "UTC\0",
        "Europe/Béziers",
        "localtime",
        "posixrules",
    ],
)
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(UnknownTimezone, match="is not a time zone of the IANA database"):
        period_end(at("2026-01-01T00:00"), "month", timezone=name)


@pytest.mark.parametrize("day", [0, -1, 32])
def test_an_anchor_day_that_no_month_has_is_refused(day: int) -> None:
    with pytest.raises(RuleError, match="anchor_day must be a day of the month, 1 to 31"):
        period_end(at("2026-01-01T00:00"), "month", anchor_day=day)


@pytest.mark.parametrize("day", [1.0, "1", True])
def test_an_anchor_day_that_is_no_int_is_a_wrong_type(day: Any) -> None:
    with pytest.raises(WrongType, match="anchor_day must be an int"):
        period_end(at("2026-01-01T00:00"), "month", anchor_day=day)


def test_a_period_past_the_last_year_is_refused() -> None:
    with pytest.raises(RuleError, match="past the year 9999"):
        period_end(at("9999-12-01T00:00"), "month")
