"""Why this amount: each line, and how their sum is settled, as sentences with all their numbers.

Whoever recomputes a line from its sentences gets the same amount to the cent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.accounts import Language
from models.orders import OrderLine, PricedLine, QuoteLine, Totals
from tasks.letters import plans
from tasks.letters.explain_credit import credit_sentences
from tasks.letters.explain_tax import tax_sentences
from tasks.letters.names import ProductNames
from tasks.letters.whose_vat import WhoseVat
from tasks.letters.wording import Wording


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
    in_effect: bool = False,
    whose: Mapping[int, WhoseVat] | None = None,
    credit_timezones: Mapping[str, str] | None = None,
) -> list[Explanation]:
    """Each line with its arithmetic, in the order of the lines.

    timezone: the account's; credit_timezones: see `models.sold_to`. whose: see `tasks.letters.whose_vat`. in_effect: see `sentences`.
    """
    w = Wording(language, currency, timezone)
    return [
        Explanation(
            line.position,
            names.plan(line.product_code, line.tier_code),
            sentences(
                w,
                line,
                names,
                in_effect=in_effect,
                whose=(whose or {}).get(line.position),
                credit_timezone=(credit_timezones or {}).get(line.product_code),
            ),
        )
        for line in lines
    ]


def explain_settlement(totals: Totals, *, language: Language, timezone: str) -> tuple[str, ...]:
    """How the sum of the lines is settled: the balance pays first, the rest is due; an excess becomes balance."""
    w = Wording(language, totals.currency, timezone)
    summed = w.say(
        "All lines together: net %(net)s and VAT %(tax)s make %(total)s.",
        net=w.money(totals.net_minor),
        tax=w.money(totals.tax_minor),
        total=w.money(totals.total_minor),
    )
    over = w.money(totals.to_balance_minor)
    if totals.total_minor < 0:
        return summed, w.say(
            "As you get money back, %(amount)s is added to your balance, which pays for future orders first.",
            amount=over,
        )
    if not totals.to_balance_minor:
        return summed, _due(w, totals)
    return (
        summed,
        _due(w, totals),
        w.say("This includes %(amount)s of rounding up, which is added to your balance.", amount=over),
    )


def _due(w: Wording, totals: Totals) -> str:
    due = w.money(totals.due_minor)
    if not totals.balance_used_minor:
        return w.say("%(due)s is due.", due=due)
    used = w.money(totals.balance_used_minor)
    return w.say("Your balance pays %(used)s of it first, so %(due)s is due.", used=used, due=due)


def sentences(
    w: Wording,
    line: PricedLine,
    names: ProductNames,
    *,
    in_effect: bool = False,
    whose: WhoseVat | None = None,
    credit_timezone: str | None = None,
) -> tuple[str, ...]:
    """in_effect: whether what the line buys is active, as it is once a letter or an invoice tells of it.

    whose: if charge and credit bear the VAT of two countries. credit_timezone: in which what is credited was charged, if it is another.
    """
    if line.interval is None:
        return _trial(w, line, names, in_effect=in_effect)
    now_paid = {
        "plan": plans.after(w, line, names),
        "start": w.date(line.period_start),
        "end": w.date(line.period_end),
        "seats": w.number(line.seats),
        "unit": w.money(line.unit_minor),
        "charge": w.money(line.charge_minor),
    }
    if line.from_period_id is None:
        return _bought(w, now_paid, in_effect=in_effect), *tax_sentences(w, line), _total(w, line)
    charged_in = w.in_zone(credit_timezone) if credit_timezone else w
    credit = credit_sentences(charged_in, line, names, in_effect=in_effect)
    changed = _changed(w, now_paid, in_effect=in_effect)
    return *credit, changed, _net(w, line), *tax_sentences(w, line, whose), _total(w, line)


def _bought(w: Wording, now_paid: dict[str, str], *, in_effect: bool) -> str:
    if in_effect:
        return w.say(
            "You bought %(plan)s, for the period from %(start)s to %(end)s: %(seats)s × %(unit)s = %(charge)s.",
            **now_paid,
        )
    return w.say(
        "You buy %(plan)s, for the period from %(start)s to %(end)s: %(seats)s × %(unit)s = %(charge)s.", **now_paid
    )


def _changed(w: Wording, now_paid: dict[str, str], *, in_effect: bool) -> str:
    if in_effect:
        return w.say(
            "You now have %(plan)s, for a new period from %(start)s to %(end)s: %(seats)s × %(unit)s = %(charge)s.",
            **now_paid,
        )
    return w.say(
        "You change to %(plan)s, for a new period from %(start)s to %(end)s: %(seats)s × %(unit)s = %(charge)s.",
        **now_paid,
    )


def _trial(w: Wording, line: PricedLine, names: ProductNames, *, in_effect: bool) -> tuple[str, ...]:
    started = _trial_started(w, plans.before(w, line, names), plans.after(w, line, names), in_effect=in_effect)
    ends = w.say(
        "The trial costs nothing and ends by itself on %(end)s, without a charge.", end=w.moment(line.period_end)
    )
    return started, ends


def _trial_started(w: Wording, before: str | None, after: str, *, in_effect: bool) -> str:
    if before is None:
        return w.say("You have %(plan)s.", plan=after) if in_effect else w.say("You get %(plan)s.", plan=after)
    if in_effect:
        return w.say("You had %(before)s; you now have %(after)s.", before=before, after=after)
    return w.say("You have %(before)s; you change to %(after)s.", before=before, after=after)


def _net(w: Wording, line: PricedLine) -> str:
    return w.say(
        "Charge less credit, net: %(charge)s − %(credit)s = %(net)s.",
        charge=w.money(line.charge_minor),
        credit=w.money(line.unused_minor),
        net=w.money(line.net_minor),
    )


def _total(w: Wording, line: PricedLine) -> str:
    return w.say(
        "Net %(net)s and VAT %(tax)s make %(total)s.",
        net=w.money(line.net_minor),
        tax=w.money(line.tax_minor),
        total=w.money(line.total_minor),
    )
