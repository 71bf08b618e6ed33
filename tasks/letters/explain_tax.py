"""Why this tax: the rate on the new period, and how much of the tax charged earlier comes back with the credit."""

from decimal import Decimal

from models.orders import PricedLine
from models.rules.vat import Treatment
from tasks.letters.telling import Telling
from tasks.letters.wording import Wording


def tax_sentences(line: PricedLine, telling: Telling) -> tuple[str, ...]:
    none = _no_vat(telling.w, line)
    if not line.unused_tax_minor:
        return (none or _charged(telling.w, line),)
    less = _less_credit(line, telling)
    return (none, less) if none else (less,)


def _no_vat(w: Wording, line: PricedLine) -> str | None:
    match line.tax_treatment:
        case Treatment.REVERSE_CHARGE:
            return w.say("No VAT is charged on this period: you account for it yourself (reverse charge).")
        case Treatment.OUT_OF_SCOPE:
            return w.say("No VAT is charged on this period: it is outside the scope of EU VAT.")
    return None


def _charged(w: Wording, line: PricedLine) -> str:
    return w.say(
        "VAT: %(rate)s of %(charge)s, rounded half up, is %(tax)s.",
        rate=w.percent(line.tax_rate),
        charge=w.money(line.charge_minor),
        tax=w.money(line.charge_tax_minor),
    )


def _less_credit(line: PricedLine, telling: Telling) -> str:
    w, whose = telling.w, telling.whose_vat.get(line.position)
    return w.say(
        "VAT: %(charge_tax)s on the new period (%(rate)s), less %(credit_tax)s on the credit (%(old_rate)s, as it"
        " was charged), each rounded half up, makes %(tax)s.",
        charge_tax=w.money(line.charge_tax_minor),
        rate=_rate(w, line.tax_rate, whose.charged if whose else None),
        credit_tax=w.money(line.unused_tax_minor),
        old_rate=_rate(w, line.from_tax_rate or Decimal(0), whose.credited if whose else None),
        tax=w.money(line.tax_minor),
    )


def _rate(w: Wording, rate: Decimal, country: str | None) -> str:
    """Without a country where there is no VAT that could be of one."""
    return f"{w.percent(rate)}, {w.country(country)}" if country and rate else w.percent(rate)
