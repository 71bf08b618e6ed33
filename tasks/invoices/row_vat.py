"""A row's VAT in words: its rate or, if it has none, why; so that no row reads as if taxed at a rate of zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from models.invoices import Invoice, InvoiceLine
from models.rules import vat
from models.rules.vat import Treatment
from tasks.letters.tax_notes import why_no_vat
from tasks.letters.whose_vat import WhoseVat, of_two_countries
from tasks.letters.wording import Wording

NO_RATE: Final = "–"
"""in the column of rates"""


@dataclass(frozen=True, slots=True)
class RowVat:
    """A rate in percent; why it is 0, if known: reverse charge, or out of scope; whose VAT it is, ISO 3166, if that has to be said."""

    rate: Decimal
    no_vat: Treatment | None
    country: str | None

    def column(self, w: Wording) -> str:
        """Beside the row's net amount."""
        return NO_RATE if self.no_vat is Treatment.OUT_OF_SCOPE else w.percent(self.rate)

    def details(self, w: Wording) -> tuple[str, ...]:
        """Below the row's title."""
        if self.country:
            return (w.say("VAT %(rate)s (%(country)s)", rate=w.percent(self.rate), country=w.country(self.country)),)
        why = why_no_vat(w, self.no_vat)
        return (why,) if why else ()

    def sum_of(self, w: Wording, net: str) -> str:
        """The label of the sum of VAT on `net`."""
        match self.no_vat:
            case Treatment.REVERSE_CHARGE:
                return w.say("VAT %(rate)s (reverse charge) on %(net)s", rate=w.percent(self.rate), net=net)
            case Treatment.OUT_OF_SCOPE:
                return w.say("No VAT (outside the scope of EU VAT) on %(net)s", net=net)
        rate = w.percent(self.rate)
        if self.country:
            return w.say("VAT %(rate)s (%(country)s) on %(net)s", rate=rate, country=w.country(self.country), net=net)
        return w.say("VAT %(rate)s on %(net)s", rate=rate, net=net)


class RowVats:
    """The VAT of each of a document's rows. It names its country if a credit bears the VAT of another country than the document's own."""

    def __init__(self, document: Invoice, lines: Sequence[InvoiceLine]) -> None:
        self._seller, self._buyer = document.seller["country"], document.buyer["country"]
        self._named = bool(whose_vat(document, lines))

    def of_charge(self, line: InvoiceLine) -> RowVat:
        country = vat.levied_in(line.tax_treatment, seller_country=self._seller, buyer_country=self._buyer)
        return self._vat(line.tax_rate, line.tax_treatment, country)

    def of_credit(self, line: InvoiceLine) -> RowVat:
        """A credit has the VAT of the charge for the period that it credits."""
        return self._vat(line.from_tax_rate or Decimal(0), line.from_tax_treatment, line.from_tax_country)

    def _vat(self, rate: Decimal, treatment: Treatment | None, country: str | None) -> RowVat:
        return RowVat(Decimal(rate), treatment if not rate else None, country if self._named else None)


def whose_vat(document: Invoice, lines: Sequence[InvoiceLine]) -> dict[int, WhoseVat]:
    """By position, the lines whose credit bears the VAT of another country than the document's own."""
    return of_two_countries(
        lines,
        credited_in(lines),
        seller_country=document.seller["country"],
        buyer_country=document.buyer["country"],
    )


def credited_in(lines: Sequence[InvoiceLine]) -> dict[int, str]:
    """Whose VAT each line credits, by position, as far as it is known."""
    return {line.position: line.from_tax_country for line in lines if line.from_tax_country}
