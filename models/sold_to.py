"""Whom an order is sold to, as far as VAT goes by it: where the buyer is, what it is, the number it gives. Frozen with the order.

Tax and documents go by that, and by no change of the account since: what was sold to Austria stays sold there
(Directive 2006/112/EC, articles 44, 58 and 63). See docs/money.md, section 6.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from models.accounts import Account
from models.orders import Order
from models.rules import vat
from models.rules.vat import VatDecision


@dataclass(frozen=True, slots=True)
class SoldTo:
    country: str
    postcode: str | None
    address: str
    buyer_type: str
    vat_number: str | None
    """as it was given, whether or not the treatment rests on it"""

    @classmethod
    def today(cls, account: Account) -> "SoldTo":
        return cls(account.country, account.postcode, account.address, account.buyer_type.value, account.vat_number)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def vat(self, *, seller_country: str, at: datetime, with_number: bool = True) -> VatDecision:
        """at: when it was sold. with_number: whether the number that was given counts. Raises what `vat.decide` raises."""
        return vat.decide(
            seller_country=seller_country,
            buyer_country=self.country,
            vat_number=self.vat_number if with_number else None,
            buyer_type=self.buyer_type,
            tax_point=vat.day_of_supply(at, buyer_country=self.country, postcode=self.postcode),
            postcode=self.postcode,
        )


def sold_to(order: Order, account: Account) -> SoldTo:
    """account: the order's, as it is today; it speaks for an order that was placed before this was kept."""
    return SoldTo.today(account) if order.sold_to is None else SoldTo(**order.sold_to)
