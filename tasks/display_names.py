"""The names that customers see: products and tiers by their names in the catalogue, a card by its brand and last digits."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, String, any_, bindparam, select
from sqlalchemy.orm import Session

from models import order_cache
from models.accounts import PaymentMethod
from models.catalogue import Product, Tier
from models.offers import Sold
from models.orders import Order, PricedLine
from models.payments import ChargeAttempt
from models.prepared import Prepared
from models.states import AttemptStatus
from tasks.letters.names import ProductNames

_NAMES = "names"
_CARD = "card"

BRANDS: Final[Mapping[str, str]] = {
    "amex": "American Express",
    "cartes_bancaires": "Cartes Bancaires",
    "diners": "Diners Club",
    "discover": "Discover",
    "eftpos_au": "eftpos Australia",
    "girocard": "girocard",
    "interac": "Interac",
    "jcb": "JCB",
    "link": "Link",
    "mastercard": "Mastercard",
    "unionpay": "UnionPay",
    "visa": "Visa",
}
"""what each of the payment provider's codes is called, in every language; source: Stripe's API, `PaymentMethod.card.brand`"""


def of_lines(session: Session, lines: Sequence[PricedLine]) -> ProductNames:
    """The products and tiers of these lines."""
    return of_products(session, {line.product_code for line in lines})


def of_products(session: Session, codes: Collection[str]) -> ProductNames:
    """Products by these codes, with all their tiers."""
    rows = _NAMED.all(session, {"codes": list(codes)})
    return ProductNames(
        products={code: name for code, name, _, _ in rows},
        tiers={(product, tier): name for product, _, tier, name in rows if tier is not None},
    )


_NAMED = Prepared[str, str, str | None, str](
    select(Product.code, Product.name, Tier.code, Tier.name)
    .outerjoin(Tier, Tier.product_code == Product.code)
    .where(Product.code == any_(bindparam("codes", type_=ARRAY(String))))
)


def of_order(session: Session, order: Order) -> ProductNames:
    """The products and tiers of an order's lines."""
    return order_cache.once(order, _NAMES, lambda: of_lines(session, order_cache.lines(session, order)))


def keep_names(order: Order, lines: Sequence[PricedLine], sold: Sold) -> None:
    """Cache the names of the lines' products and tiers, where the catalogue has been read anyway."""
    codes = {line.product_code for line in lines}
    products = {code: name for code, name in sold.products.items() if code in codes}
    tiers = {tier: name for tier, name in sold.tiers.items() if tier[0] in codes}
    order_cache.keep(order, _NAMES, ProductNames(products, tiers))


def card(session: Session, order: Order) -> str | None:
    """The card that was charged, once it was, e.g. `Visa •••• 4242`, or `•••• 4242` if its brand is unknown."""
    return order_cache.once(order, _CARD, lambda: _card(session, order.id)) if order.payment_kind else None


def keep_card(order: Order, method: PaymentMethod | None) -> None:
    """Cache the card of the order's live attempt. No document names it too early, because none is issued before the charge has succeeded."""
    order_cache.keep(order, _CARD, card_name(method.brand, method.last4) if method else None)


def _card(session: Session, order_id: UUID) -> str | None:
    found = _CHARGED.one_or_none(session, {"order_id": order_id})
    return card_name(*found) if found else None


def card_name(brand: str, last4: str) -> str | None:
    """The name of a card; None if neither its brand nor its last digits are known."""
    return " ".join(filter(None, (BRANDS.get(brand), f"•••• {last4}" if last4 else None))) or None


_CHARGED = Prepared[str, str](
    select(PaymentMethod.brand, PaymentMethod.last4)
    .join(ChargeAttempt, ChargeAttempt.payment_method_id == PaymentMethod.id)
    .where(ChargeAttempt.order_id == bindparam("order_id"), ChargeAttempt.status == AttemptStatus.SUCCEEDED)
)
