"""Why this tax: the rate on the new period, and how much of the tax charged earlier comes back with the credit."""

from decimal import Decimal

from models.orders import PricedLine
from models.rules.vat import Treatment
from tasks.letters.wording import Wording


def tax_sentences(w: Wording, line: PricedLine) -> tuple[str, ...]:
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
                rate=w.percent(line.tax_rate),
                credit_tax=w.money(line.unused_tax_minor),
                old_rate=w.percent(line.from_tax_rate or Decimal(0)),
                tax=w.money(line.tax_minor),
            )
        )
    return tuple(found)
