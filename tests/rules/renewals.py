"""Periods that follow each other: what the anchor day is for."""

from collections.abc import Iterator
from datetime import datetime

from models.rules.period import Interval, Period, anchor_day_of, period_end


def renewals(
    start: datetime, interval: Interval | str, *, timezone: str, anchor_day: int | None = None
) -> Iterator[Period]:
    """The first period and every one after it, the anchor day carried; endless until the year 9999."""
    day = anchor_day_of(start, timezone) if anchor_day is None else anchor_day
    while True:
        end = period_end(start, interval, timezone=timezone, anchor_day=day)
        yield Period(start, end)
        start = end
