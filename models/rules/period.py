"""Billing periods: where one ends, and how the anchor day survives short months."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from models.rules.errors import RuleError
from models.rules.money import whole_number
from models.rules.one_of import one_of
from models.rules.timezone import local, utc


class InvertedPeriod(RuleError):
    """A period that ends before, or when, it starts."""


class UnknownInterval(RuleError):
    """Neither month nor year."""


class Interval(StrEnum):
    """How often a subscription is billed."""

    MONTH = "month"
    YEAR = "year"


_MONTHS: Final = {Interval.MONTH: 1, Interval.YEAR: 12}


@dataclass(frozen=True, slots=True)
class Period:
    """A span of time paid for at once: `start` belongs to it, `end` to the next one.

    Aware datetimes in any zone, kept in UTC. Raises NaiveDatetime, WrongType, InvertedPeriod.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", utc("period.start", self.start))
        object.__setattr__(self, "end", utc("period.end", self.end))
        if self.start >= self.end:
            raise InvertedPeriod(
                f"a period must end after its start, got {self.start.isoformat()} to {self.end.isoformat()}; swap them?"
            )


def anchor_day_of(start: datetime, timezone: str) -> int:
    """The day of the month, 1 to 31, on which a subscription that starts at `start` renews: the account's local day."""
    return local(utc("start", start), timezone).day


def period_end(
    start: datetime, interval: Interval | str, *, timezone: str = "UTC", anchor_day: int | None = None
) -> datetime:
    """When a period that starts at `start` ends, in UTC: the same wall clock time 1 or 12 months on, in `timezone`.

    anchor_day: 1 to 31, the day to return to after a short month (31 Jan -> 28 Feb -> 31 Mar); None: the local day of `start`.
    Where the clock skips that time, the end is later by as much as the clock skips (02:30 -> 03:30); where the clock
    shows that time twice, the end is the first of the two. Both follow java.time and RFC 5545.
    Raises NaiveDatetime, UnknownInterval, UnknownTimezone, RuleError for an invalid anchor day, or an end past the year 9999.
    """
    step = _MONTHS[one_of(Interval, "interval", interval, unknown=UnknownInterval)]
    here = local(utc("start", start), timezone)
    day = here.day if anchor_day is None else _checked_anchor_day(anchor_day)
    years, month0 = divmod(here.month - 1 + step, 12)
    try:
        length = monthrange(here.year + years, month0 + 1)[1]
        there = here.replace(year=here.year + years, month=month0 + 1, day=min(day, length), fold=0)
    except ValueError:
        raise RuleError(f"a period that starts at {here.isoformat()} would end past the year 9999") from None
    return utc("period.end", there)


def _checked_anchor_day(day: int) -> int:
    if not 1 <= whole_number("anchor_day", day) <= 31:
        raise RuleError(f"anchor_day must be a day of the month, 1 to 31, got {day}")
    return day
