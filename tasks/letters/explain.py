"""Why this amount: each line, and how their sum is settled, as sentences with all their numbers.

Whoever recomputes a line from its sentences gets the same amount to the cent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from models.accounts import Language
from models.orders import OrderLine, PricedLine, QuoteLine, Totals
from models.rules.proration import Unit
from models.rules.vat import Treatment
from tasks.letters import plans
from tasks.letters.names import ProductNames
from tasks.letters.wording import Wording

_SECONDS_A_DAY = 86_400
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Explanation:
    """One line's, by its position in the quote or order."""

    position: int
    title: str
    sentences: tuple[str, ...]


def explain(
    lines: Sequence[OrderLine] | Sequence[QuoteLine],
    *,
    language: Language,
    currency: str,
    timezone: str,
    names: ProductNames,
) -> list[Explanation]:
    """Each line with its arithmetic, in the order of the lines. timezone: the account's."""
    w = Wording(language, currency, timezone)
    return [
        Explanation(line.position, names.plan(line.product_code, line.tier_code), sentences(w, line, names))
        for line in lines
    ]


def explain_settlement(totals: Totals, *, language: Language, timezone: str) -> tuple[str, ...]:
    """How the sum of the lines is settled: the balance pays first, the rest is due, or what is over becomes balance."""
    w = Wording(language, totals.currency, timezone)
    total = w.say(
        "All lines together: net %(net)s and VAT %(tax)s make %(total)s.",
        net=w.money(totals.net_minor),
        tax=w.money(totals.tax_minor),
        total=w.money(totals.total_minor),
    )
    if totals.to_balance_minor:
        rest = w.say(
            "As you get money back, %(amount)s is added to your balance, which pays for future orders first.",
            amount=w.money(totals.to_balance_minor),
        )
    elif totals.balance_used_minor:
        rest = w.say(
            "Your balance pays %(used)s of it first, so %(due)s is due.",
            used=w.money(totals.balance_used_minor),
            due=w.money(totals.due_minor),
        )
    else:
        rest = w.say("%(due)s is due.", due=w.money(totals.due_minor))
    return total, rest


def sentences(w: Wording, line: PricedLine, names: ProductNames) -> tuple[str, ...]:
    if line.interval is None:
        return _trial(w, line, names)
    now_paid = {
        "plan": plans.after(w, line, names),
        "start": w.date(line.period_start),
        "end": w.date(line.period_end),
        "seats": w.number(line.seats),
        "unit": w.money(line.unit_minor),
        "charge": w.money(line.charge_minor),
    }
    if line.from_period_id is None:
        bought = w.say(
            "You buy %(plan)s, for the period from %(start)s to %(end)s: %(seats)s × %(unit)s = %(charge)s.", **now_paid
        )
        return bought, *_tax(w, line), _total(w, line)
    changed = w.say(
        "You now have %(plan)s, for a new period from %(start)s to %(end)s: %(seats)s × %(unit)s = %(charge)s.",
        **now_paid,
    )
    return *_credit(w, line, names), changed, _net(w, line), *_tax(w, line), _total(w, line)


def _trial(w: Wording, line: PricedLine, names: ProductNames) -> tuple[str, ...]:
    started = w.say("You have %(plan)s.", plan=plans.after(w, line, names))
    held = plans.before(w, line, names)
    if held is not None:
        started = w.say("You had %(before)s; you now have %(after)s.", before=held, after=plans.after(w, line, names))
    ends = w.say(
        "The trial costs nothing and ends by itself on %(end)s, without a charge.", end=w.moment(line.period_end)
    )
    return started, ends


def _credit(w: Wording, line: PricedLine, names: ProductNames) -> tuple[str, ...]:
    if line.from_period_start is None or line.from_period_end is None:
        raise ValueError(f"line {line.position} credits a period without saying when it ran")
    had = w.say(
        "You had %(plan)s, for %(charged)s (net) from %(start)s to %(end)s.",
        plan=plans.before(w, line, names) or "",
        charged=w.money(line.from_charged_minor or 0),
        start=w.date(line.from_period_start),
        end=w.date(line.from_period_end),
    )
    if not line.from_charged_minor:
        return had, w.say("As it cost nothing, nothing is credited for the time left.")
    return had, _time_left(w, line), _share(w, line)


def _time_left(w: Wording, line: PricedLine) -> str:
    left, whole = _counted(line)
    values = {"moment": w.moment(line.period_start), "left": w.number(left), "whole": w.number(whole)}
    if line.share_unit == Unit.DAY:
        return w.say(
            "When the change takes effect (%(moment)s), %(left)s of its %(whole)s calendar days are left; the day of the"
            " change counts as left.",
            **values,
        )
    days = [_days(each) for each in (left, whole)]
    values |= {"days": w.number(days[0]), "whole_days": w.number(days[1])}
    if [each * _SECONDS_A_DAY for each in days] == [left, whole]:
        return w.say(
            "When the change takes effect (%(moment)s), %(left)s of its %(whole)s seconds are left"
            " (%(days)s of %(whole_days)s days).",
            **values,
        )
    return w.say(
        "When the change takes effect (%(moment)s), %(left)s of its %(whole)s seconds are left"
        " (about %(days)s of %(whole_days)s days).",
        **values,
    )


def _share(w: Wording, line: PricedLine) -> str:
    left, whole = _counted(line)
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


def _counted(line: PricedLine) -> tuple[Decimal, Decimal]:
    """What is left, and of what, in seconds (with a fraction where the clock gave one) or in days."""
    left, whole = Decimal(line.share_left or 0), Decimal(line.share_whole or 1)
    if line.share_unit == Unit.MICROSECOND:
        return left / _MICROSECONDS, whole / _MICROSECONDS
    return left, whole


def _days(seconds: Decimal) -> Decimal:
    """To two decimals, for reading only: nothing is computed from it."""
    return round(seconds / _SECONDS_A_DAY, 2).normalize() + 0


def _net(w: Wording, line: PricedLine) -> str:
    return w.say(
        "Charge less credit, net: %(charge)s − %(credit)s = %(net)s.",
        charge=w.money(line.charge_minor),
        credit=w.money(line.unused_minor),
        net=w.money(line.net_minor),
    )


def _tax(w: Wording, line: PricedLine) -> tuple[str, ...]:
    found: list[str] = []
    if line.tax_treatment is Treatment.REVERSE_CHARGE:
        found.append(w.say("No VAT is charged on the new period: you account for it yourself (reverse charge)."))
    elif line.tax_treatment is Treatment.OUT_OF_SCOPE:
        found.append(w.say("No VAT is charged on the new period: it is outside the scope of EU VAT."))
    elif not line.unused_tax_minor:
        found.append(
            w.say(
                "VAT: %(rate)s of %(charge)s is %(tax)s.",
                rate=w.percent(line.tax_rate),
                charge=w.money(line.charge_minor),
                tax=w.money(line.charge_tax_minor),
            )
        )
    if line.unused_tax_minor:
        found.append(
            w.say(
                "VAT: %(charge_tax)s on the new period (%(rate)s), less %(credit_tax)s on the credit (%(old_rate)s, as it"
                " was charged), makes %(tax)s.",
                charge_tax=w.money(line.charge_tax_minor),
                rate=w.percent(line.tax_rate),
                credit_tax=w.money(line.unused_tax_minor),
                old_rate=w.percent(line.from_tax_rate or Decimal(0)),
                tax=w.money(line.tax_minor),
            )
        )
    return tuple(found)


def _total(w: Wording, line: PricedLine) -> str:
    return w.say(
        "Net %(net)s and VAT %(tax)s make %(total)s.",
        net=w.money(line.net_minor),
        tax=w.money(line.tax_minor),
        total=w.money(line.total_minor),
    )
