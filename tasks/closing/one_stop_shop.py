"""A quarter's return for the one-stop shop: sales by state and rate and, apart from them, what corrects earlier quarters, by state and quarter.

A sale is in the quarter of its day of supply, so that each rate is one that was in force. Its sales are never negative: whatever amends a
quarter whose return was filed is named with that quarter and state in a later return.
Source: Directive 2006/112/EC, articles 365 and 369g (4); Implementing Regulation (EU) 282/2011, article 61.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from models.rules.vat import Treatment
from tasks.closing.documents import DocumentLevy
from tasks.closing.quarters import Quarter


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    corrects_quarter: str | None
    """such as 2026-Q4; None: sales of the quarter itself"""
    tax_country: str
    rate: Decimal | None
    """None in a correction: the return asks for one sum of each state and quarter"""
    currency: str
    net_minor: int = 0
    vat_minor: int = 0


def declared(levies: Iterable[DocumentLevy], quarter: Quarter) -> list[Declared]:
    """Sales first, then corrections, the oldest quarter first. levies: of all documents that are taxed in the quarter (`Day.TAXED`)."""
    sums: dict[Declared, Declared] = {}
    for levy in levies:
        if levy.treatment is not Treatment.DESTINATION_RATE:
            continue
        sold_in = Quarter.of(levy.sale_supplied_on)
        is_sale = sold_in == quarter
        empty = Declared(
            corrects_quarter=None if is_sale else str(sold_in),
            tax_country=levy.tax_country,
            rate=levy.rate if is_sale else None,
            currency=levy.currency,
        )
        so_far = sums.get(empty, empty)
        sums[empty] = replace(
            so_far, net_minor=so_far.net_minor + levy.net_minor, vat_minor=so_far.vat_minor + levy.vat_minor
        )
    return sorted(sums.values(), key=_order)


def _order(each: Declared) -> tuple[str, str, Decimal, str]:
    return each.corrects_quarter or "", each.tax_country, -(each.rate or Decimal(0)), each.currency
