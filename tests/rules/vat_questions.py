"""Asking which VAT an order bears, and the answers, in short."""

from datetime import date
from decimal import Decimal
from typing import Any

from models.rules.vat import Treatment, VatDecision, decide

TODAY = date(2026, 11, 22)
GERMAN, AUSTRIAN, GREEK, MONACAN = "DE136695976", "ATU13585627", "EL094259216", "FR61000000000"
OUT_OF_SCOPE = VatDecision(Treatment.OUT_OF_SCOPE, Decimal(0), None)
INVALID = VatDecision(Treatment.INVALID_NUMBER, None, None)


def ask(seller: str, buyer: str, number: str | None = None, kind: str = "business", **more: Any) -> VatDecision:
    return decide(
        seller_country=seller, buyer_country=buyer, vat_number=number, buyer_type=kind, **({"tax_point": TODAY} | more)
    )


def domestic(rate: str, number: str | None = None) -> VatDecision:
    return VatDecision(Treatment.DOMESTIC, Decimal(rate), number)


def destination(rate: str) -> VatDecision:
    return VatDecision(Treatment.DESTINATION_RATE, Decimal(rate), None)


def reverse_charge(number: str) -> VatDecision:
    return VatDecision(Treatment.REVERSE_CHARGE, Decimal(0), number)
