"""Why this tax: the rate on the new period, and how much of the tax charged earlier comes back with the credit."""

from decimal import Decimal

from models.orders import PricedLine
from models.rules.vat import Treatment
from tasks.letters.telling import Telling
from tasks.letters.wording import Wording


def tax_sentences(line: PricedLine, telling: Telling) -> tuple[str, ...]:
    w, whose = telling.w, telling.whose_vat.get(line.position)
    found: list[str] = []
    if line.tax_treatment is Treatment.REVERSE_CHARGE:
        found.append(w.say("No VAT is charged on this period: you account for it yourself (reverse charge)."))
    elif line.tax_treatment is Treatment.OUT_OF_SCOPE:
        found.append(w.say("No VAT is charged on this period: it is outside the scope of EU VAT."))
    elif not line.unused_tax_minor:
        found.append(
            w.say(
                "VAT: %(rate)s of %(charge)s, rounded half up, is %(tax)s.",
                rate=w.percent(line.tax_rate),
                charge=w.money(line.charge_minor),
                tax=w.money(line.charge_tax_minor),
            )
        )
    if line.unused_tax_minor:
        found.append(
            w.say(
                "VAT: %(charge_tax)s on the new period (%(rate)s), less %(credit_tax)s on the credit (%(old_rate)s, as it"
                " was charged), each rounded half up, makes %(tax)s.",
                charge_tax=w.money(line.charge_tax_minor),
                rate=_rate(w, line.tax_rate, whose.charged if whose else None),
                credit_tax=w.money(line.unused_tax_minor),
                old_rate=_rate(w, line.from_tax_rate or Decimal(0), whose.credited if whose else None),
                tax=w.money(line.tax_minor),
            )
        )
    return tuple(found)


def _rate(w: Wording, rate: Decimal, country: str | None) -> str:
    """Without a country where there is no VAT that could be of one."""
    return f"{w.percent(rate)}, {w.country(country)}" if country and rate else w.percent(rate)
