"""What a line credits: the document that charged the period, and the VAT of that charge."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.invoices import Invoice, InvoiceLine, in_force
from models.orders import PricedLine
from models.rules import vat
from models.rules.vat import Treatment
from models.subscriptions import SubscriptionPeriod


class Credited(NamedTuple):
    number: str
    """of the document"""
    treatment: Treatment
    country: str | None
    """whose VAT was charged, ISO 3166; None: no VAT was"""


def credited(session: Session, line: PricedLine) -> Credited | None:
    """None for a line that credits nothing, or a period that no document charged."""
    if not line.unused_minor:
        return None
    of_its_order = (
        select(Invoice.number, SubscriptionPeriod.tax_treatment, Invoice.seller, Invoice.buyer)
        .join(SubscriptionPeriod, SubscriptionPeriod.order_id == Invoice.order_id)
        .where(SubscriptionPeriod.id == line.from_period_id)
    )
    row = session.execute(in_force(of_its_order)).one_or_none()
    if row is None:
        return None
    number, treatment, seller, buyer = row
    country = vat.levied_in(treatment, seller_country=seller["country"], buyer_country=buyer["country"])
    return Credited(number, treatment, country)


def countries(session: Session, lines: Iterable[PricedLine]) -> dict[int, str]:
    """Whose VAT each line credits, by position; without those that credit none."""
    found = {line.position: credited(session, line) for line in lines if line.unused_tax_minor}
    return {position: each.country for position, each in found.items() if each and each.country}


def name_countries(session: Session, copies: Iterable[InvoiceLine]) -> None:
    """Copies of lines older than `from_tax_country` get it from the document that charged what they credit."""
    for line in copies:
        if line.from_tax_country or not line.unused_tax_minor or not line.from_tax_treatment:
            continue
        charged = session.scalar(select(Invoice).where(Invoice.number == line.from_invoice))
        if charged:
            line.from_tax_country = vat.levied_in(
                line.from_tax_treatment,
                seller_country=charged.seller["country"],
                buyer_country=charged.buyer["country"],
            )
