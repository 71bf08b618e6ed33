"""A row's VAT in words: its rate or, if it has none, why; so that no row reads as if taxed at a rate of zero."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from models.invoices import InvoiceLine
from models.rules.vat import Treatment
from tasks.letters.tax_notes import why_no_vat
from tasks.letters.wording import Wording

NO_RATE: Final = "–"
"""in the column of rates"""


@dataclass(frozen=True, slots=True)
class Levy:
    """A rate in percent; and why it is 0, if known: reverse charge, or out of scope."""

    rate: Decimal
    no_vat: Treatment | None

    def column(self, w: Wording) -> str:
        """Beside the row's net amount."""
        return NO_RATE if self.no_vat is Treatment.OUT_OF_SCOPE else w.percent(self.rate)

    def details(self, w: Wording) -> tuple[str, ...]:
        """Below the row's title."""
        why = why_no_vat(w, self.no_vat)
        return (why,) if why else ()

    def sum_of(self, w: Wording, net: str) -> str:
        """The label of the sum of VAT on `net`."""
        match self.no_vat:
            case Treatment.REVERSE_CHARGE:
                return w.say("VAT %(rate)s (reverse charge) on %(net)s", rate=w.percent(self.rate), net=net)
            case Treatment.OUT_OF_SCOPE:
                return w.say("No VAT (outside the scope of EU VAT) on %(net)s", net=net)
        return w.say("VAT %(rate)s on %(net)s", rate=w.percent(self.rate), net=net)


def charge_levy(line: InvoiceLine) -> Levy:
    return _levy(line.tax_rate, line.tax_treatment)


def credit_levy(line: InvoiceLine) -> Levy:
    """A credit has the VAT of the charge for the period that it credits."""
    return _levy(line.from_tax_rate or Decimal(0), line.from_tax_treatment)


def _levy(rate: Decimal, treatment: Treatment | None) -> Levy:
    return Levy(Decimal(rate), treatment if not rate else None)
