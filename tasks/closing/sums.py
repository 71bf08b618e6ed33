"""What the levies of documents add up to: by state, treatment, rate and currency and, for the recapitulative statement, by VAT number."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from models.rules.vat import Treatment
from tasks.closing.documents import DocumentLevy


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    tax_country: str
    treatment: Treatment | None
    rate: Decimal
    vat_number: str | None = None
    """None also for whatever was sold without one"""
    buyer: str | None = None
    """who has the number, as on the latest document"""
    currency: str
    net_minor: int = 0
    vat_minor: int = 0


def summed_up(levies: Iterable[DocumentLevy], *, by_vat_number: bool = False) -> list[Sum]:
    """By treatment, country and rate, the highest first. levies: the latest last."""
    sums: dict[Sum, Sum] = {}
    for levy in levies:
        number = levy.vat_number if by_vat_number else None
        empty = Sum(
            tax_country=levy.tax_country,
            treatment=levy.treatment,
            rate=levy.rate,
            vat_number=number,
            currency=levy.currency,
        )
        so_far = sums.get(empty, empty)
        sums[empty] = replace(
            so_far,
            buyer=levy.buyer if number else None,
            net_minor=so_far.net_minor + levy.net_minor,
            vat_minor=so_far.vat_minor + levy.vat_minor,
        )
    return sorted(sums.values(), key=_order)


def _order(each: Sum) -> tuple[str, str, Decimal, str, str]:
    return each.treatment or "", each.tax_country, -each.rate, each.currency, each.vat_number or ""
