"""Proration of a change in mid-period: how much of the old charge is credited, and the new period that starts."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final, NamedTuple

from models.rules.errors import RuleError, WrongType
from models.rules.money import amount, round_half_up
from models.rules.one_of import one_of
from models.rules.period import Interval, Period, period_end
from models.rules.pricing import tax
from models.rules.timezone import local, utc, zone

_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)


class OutsidePeriod(RuleError):
    """A change before the period began, or when it was over already."""


class UnknownGranularity(RuleError):
    """Neither second nor day."""


class Granularity(StrEnum):
    """The unit in which a period is divided for proration."""

    SECOND = "second"
    DAY = "day"


class Unit(StrEnum):
    """The unit in which a share was counted; microseconds only where one of the instants has a fraction of a second."""

    MICROSECOND = "microsecond"
    SECOND = "second"
    DAY = "day"


class Share(NamedTuple):
    """`remaining` of `whole` units are left: 1_296_000 of 2_592_000 seconds, 15 of 30 days. 0 <= remaining <= whole > 0."""

    remaining: int
    whole: int
    unit: Unit


class Proration(NamedTuple):
    """A change's arithmetic, net of tax, minor units: unused + used = charged, net = new charge - unused (below zero: credit)."""

    unused_minor: int
    used_minor: int
    new_charge_minor: int
    net_minor: int
    new_period: Period


class TaxProration(NamedTuple):
    """How the charged tax is divided, minor units: credit_tax + used_tax = original tax."""

    credit_tax_minor: int
    used_tax_minor: int


def share_left(
    *, period: Period, changed_at: datetime, granularity: Granularity | str = "second", timezone: str = "UTC"
) -> Share:
    """How much of `period` is left at `changed_at`, as whole numbers and their unit, for an explanation.

    granularity: 'second', exact to the microsecond; or 'day', calendar days in `timezone`. A day belongs to the plan that
    begins on it: the day of the change to the new plan, and the day within which a period ends to the next period.
    Raises OutsidePeriod unless period.start <= changed_at < period.end, UnknownGranularity, UnknownTimezone,
    NaiveDatetime, WrongType, and RuleError for days in a period that begins and ends on the same day.
    """
    if not isinstance(period, Period):
        raise WrongType(f"period must be a Period, got {type(period).__name__} {period!r}")
    moment = utc("changed_at", changed_at)
    unit = one_of(Granularity, "granularity", granularity, unknown=UnknownGranularity)
    zone(timezone)
    if not period.start <= moment < period.end:
        raise OutsidePeriod(
            f"changed_at {moment.isoformat()} is not in the period {period.start.isoformat()} to {period.end.isoformat()} "
            "(its end belongs to the next one); prorate against the period that was running then"
        )
    return _days_left(period, moment, timezone) if unit is Granularity.DAY else _seconds_left(period, moment)


def reset_period(
    *,
    charged_minor: int,
    period: Period,
    changed_at: datetime,
    new_charge_minor: int,
    new_interval: Interval | str,
    granularity: Granularity | str = "second",
    timezone: str = "UTC",
    anchor_day: int | None = None,
) -> Proration:
    """Credit the unused part of `period`, charge the new plan in full, and start its period at `changed_at`.

    The rule in one call. Quotes compute the same from its parts, in `quoted_line`: tests hold both together.

    charged_minor: what was charged for the whole of `period`, net of tax, minor units; new_charge_minor: likewise, for the new
    period. unused = charged x remaining / whole, half rounded up, once; see `share_left` for remaining and whole.
    anchor_day: day of the month, 1 to 31, on which the new plan is to renew; None: the day of the change in `timezone`.
    Raises what `share_left` and `period_end` raise, NegativeAmount, and WrongType for floats and bools.
    Source: docs/money.md section 4; the seconds are those of Stripe's "prorated to the second".
    """
    charged, new_charge = amount("charged_minor", charged_minor), amount("new_charge_minor", new_charge_minor)
    share = share_left(period=period, changed_at=changed_at, granularity=granularity, timezone=timezone)
    end = period_end(changed_at, new_interval, timezone=timezone, anchor_day=anchor_day)
    unused = unused_credit(charged_minor=charged, share=share)
    return Proration(unused, charged - unused, new_charge, new_charge - unused, Period(changed_at, end))


def unused_credit(*, charged_minor: int, share: Share) -> int:
    """What is credited of `charged_minor`, net and minor units as it, while `share` of its period is left: half rounded up, once.

    Raises NegativeAmount, and WrongType for floats and bools.
    """
    return round_half_up(Fraction(amount("charged_minor", charged_minor) * share.remaining, share.whole))


def reset_tax(*, original_tax_minor: int, original_rate: Decimal, unused_minor: int) -> TaxProration:
    """Divide the tax that was charged: the part credited with the unused amount, at the original rate, and the part kept.

    original_rate: percent (19 for 19 %) at which original_tax_minor was charged; unused_minor: net, from `unused_credit`.
    The credit is rounded half up, once, and is never more than the tax that was charged.
    """
    original = amount("original_tax_minor", original_tax_minor)
    credit = min(tax(net_minor=amount("unused_minor", unused_minor), rate=original_rate), original)
    return TaxProration(credit, original - credit)


def _seconds_left(period: Period, moment: datetime) -> Share:
    left, whole = period.end - moment, period.end - period.start
    if left.microseconds or whole.microseconds:
        return Share(left // _MICROSECOND, whole // _MICROSECOND, Unit.MICROSECOND)
    return Share(left // _SECOND, whole // _SECOND, Unit.SECOND)


def _days_left(period: Period, moment: datetime, timezone: str) -> Share:
    start, changed, end = (local(each, timezone).date() for each in (period.start, moment, period.end))
    whole = (end - start).days
    if whole < 1:
        raise RuleError(f"the period begins and ends on {start} in {timezone}; count it in seconds, not days")
    # Clamped, because a clock set back over midnight shows yesterday's date again.
    return Share(min(max((end - changed).days, 0), whole), whole, Unit.DAY)
