"""Why this credit: what was charged for the running period, how much of it is left, and the share of it that comes back."""

from decimal import Decimal
from fractions import Fraction
from typing import Final

from models.orders import PricedLine
from models.rules.proration import Unit
from tasks.letters import plans
from tasks.letters.telling import Telling
from tasks.letters.wording import Wording

_SECONDS_A_DAY: Final = 86_400
_MICROSECONDS: Final = 1_000_000


def credit_sentences(line: PricedLine, telling: Telling) -> tuple[str, ...]:
    w = telling.of_credit(line)
    if line.from_period_start is None or line.from_period_end is None:
        raise ValueError(f"line {line.position} credits a period without saying when it ran")
    held = {
        "plan": plans.before(w, line, telling.names) or "",
        "charged": w.money(line.from_charged_minor or 0),
        "start": w.date(line.from_period_start),
        "end": w.date(line.from_period_end),
    }
    if telling.in_effect:
        had = w.say("You had %(plan)s, for %(charged)s (net) from %(start)s to %(end)s.", **held)
    else:
        had = w.say("You have %(plan)s, for %(charged)s (net) from %(start)s to %(end)s.", **held)
    if not line.from_charged_minor:
        return had, w.say("As it cost nothing, nothing is credited for the time left.")
    return had, _time_left(w, line), _share(w, line)


def _time_left(w: Wording, line: PricedLine) -> str:
    left, whole = counted(line)
    counts = {"left": w.number(left), "whole": w.number(whole)}
    if line.share_unit == Unit.DAY:
        return w.say(
            "Days left when the change takes effect (%(moment)s): %(left)s of %(whole)s calendar days of that period,"
            " the day of the change included.",
            moment=w.moment(line.period_start),
            **counts,
        )
    days, whole_days = _days(left), _days(whole)
    moment = w.moment(line.period_start, to_the_second=True)
    values = counts | {"moment": moment, "days": w.number(days), "whole_days": w.number(whole_days)}
    if (days * _SECONDS_A_DAY, whole_days * _SECONDS_A_DAY) == (left, whole):
        return w.say(
            "Time left when the change takes effect (%(moment)s): %(left)s of %(whole)s seconds of that period"
            " (%(days)s of %(whole_days)s days).",
            **values,
        )
    return w.say(
        "Time left when the change takes effect (%(moment)s): %(left)s of %(whole)s seconds of that period"
        " (about %(days)s of %(whole_days)s days).",
        **values,
    )


def _share(w: Wording, line: PricedLine) -> str:
    left, whole = counted(line)
    charged = line.from_charged_minor or 0
    values = {
        "charged": w.money(charged),
        "left": w.number(left),
        "whole": w.number(whole),
        "credit": w.money(line.unused_minor),
    }
    if Fraction(charged) * Fraction(left) / Fraction(whole) == line.unused_minor:
        return w.say("So %(credit)s is credited: %(charged)s × %(left)s ÷ %(whole)s.", **values)
    return w.say("So %(credit)s is credited: %(charged)s × %(left)s ÷ %(whole)s, rounded half up.", **values)


def counted(line: PricedLine) -> tuple[Decimal, Decimal]:
    """What is left, and of what, in seconds (with a fraction where the clock gave one) or in days."""
    left, whole = Decimal(line.share_left or 0), Decimal(line.share_whole or 1)
    if line.share_unit == Unit.MICROSECOND:
        return left / _MICROSECONDS, whole / _MICROSECONDS
    return left, whole


def _days(seconds: Decimal) -> Decimal:
    """To two decimals, for reading only: nothing is computed from it."""
    return round(seconds / _SECONDS_A_DAY, 2).normalize() + 0
