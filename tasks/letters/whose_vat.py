"""Whose VAT a line bears, where that has to be said: its customer has moved, and its credit is of another country than its charge."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.orders import PricedLine
from models.rules import vat


@dataclass(frozen=True, slots=True)
class WhoseVat:
    """ISO 3166."""

    charged: str
    """whose VAT the charge bears; if none, where the buyer is"""
    credited: str


def of_two_countries(
    lines: Iterable[PricedLine], credited: Mapping[int, str], *, seller_country: str, buyer_country: str
) -> dict[int, WhoseVat]:
    """By position, the lines whose credit bears another country's VAT. credited: whose VAT each line credits, by position, if known."""
    found = {
        line.position: WhoseVat(
            charged=vat.levied_in(line.tax_treatment, seller_country=seller_country, buyer_country=buyer_country)
            or vat.state_of(buyer_country),
            credited=credited[line.position],
        )
        for line in lines
        if line.position in credited
    }
    return {position: whose for position, whose in found.items() if whose.charged != whose.credited}
