"""The buyer's data that decide an order's VAT (country, kind of buyer, VAT number) and its dates (time zone), frozen with the order.

Tax, periods and documents follow these data, whatever has changed in the account since: what was sold to Austria stays sold there
(Directive 2006/112/EC, articles 44, 58 and 63). See docs/money.md, section 6.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import inspect

from models.accounts import Account
from models.orders import Order, Quote
from models.rules import vat
from models.rules.vat import VatDecision


@dataclass(frozen=True, slots=True)
class SoldTo:
    country: str
    postcode: str | None
    address: str
    buyer_type: str
    vat_number: str | None
    """as it was given, whether or not the treatment depends on it"""
    timezone: str
    """in which its days and periods are counted and its dates are shown; decides nothing about VAT"""
    credit_timezones: Mapping[str, str] = field(default_factory=dict)
    """the same for what its lines credit, by product: the zone in which that was charged, if it is another"""

    @classmethod
    def today(cls, account: Account) -> "SoldTo":
        return cls(
            country=account.country,
            postcode=account.postcode,
            address=account.address,
            buyer_type=account.buyer_type.value,
            vat_number=account.vat_number,
            timezone=account.timezone,
        )

    def as_json(self) -> dict[str, Any]:
        columns = asdict(self)
        if not self.credit_timezones:
            del columns["credit_timezones"]
        return columns

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


def sold_to(order: Order | Quote, account: Account) -> SoldTo:
    """account: the order's account as it is today. It supplies the data that were not yet stored when the order was placed."""
    today = SoldTo.today(account)
    return today if order.sold_to is None else replace(today, **order.sold_to)


def kept_timezone(order: Order) -> str | None:
    """The time zone that the order was priced in; None for orders from before it was stored."""
    return order.sold_to.get("timezone") if order.sold_to is not None else None


def credit_timezones(order: Order | Quote) -> Mapping[str, str]:
    """See `SoldTo`."""
    kept: Mapping[str, str] = (order.sold_to or {}).get("credit_timezones", {})
    return kept


def as_sold(order: Order, account: Account) -> Account:
    """The account with the address and time zone that the order was sold to, for letters, which must agree with the order's documents.

    Where these have changed since, the result is a copy outside any session.
    """
    sold, today = replace(sold_to(order, account), credit_timezones={}), SoldTo.today(account)
    if sold == today:
        return account
    columns = {column.key: getattr(account, column.key) for column in inspect(Account).column_attrs}
    place = {name: getattr(sold, name) for name in ("country", "postcode", "address", "timezone")}
    return Account(**columns | place)
