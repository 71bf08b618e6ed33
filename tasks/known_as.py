"""What customers know things by: products and tiers by their names in the catalogue, a card by its brand and last digits."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.accounts import PaymentMethod
from models.catalogue import Product, Tier
from models.orders import PricedLine
from models.payments import ChargeAttempt
from models.states import AttemptStatus
from tasks.letters.names import ProductNames


def names(session: Session, lines: Sequence[PricedLine]) -> ProductNames:
    """The products and tiers of these lines."""
    return named(session, {line.product_code for line in lines})


def named(session: Session, codes: Collection[str]) -> ProductNames:
    """Products by these codes, with all their tiers."""
    products = session.execute(select(Product.code, Product.name).where(Product.code.in_(codes)))
    tiers = session.execute(select(Tier.product_code, Tier.code, Tier.name).where(Tier.product_code.in_(codes)))
    return ProductNames(
        products={row[0]: row[1] for row in products}, tiers={(product, code): name for product, code, name in tiers}
    )


def card(session: Session, order_id: UUID) -> str | None:
    """The card that was charged, e.g. `Visa •••• 4242`."""
    method = session.scalar(
        select(PaymentMethod)
        .join(ChargeAttempt, ChargeAttempt.payment_method_id == PaymentMethod.id)
        .where(ChargeAttempt.order_id == order_id, ChargeAttempt.status == AttemptStatus.SUCCEEDED)
    )
    return f"{method.brand.capitalize()} •••• {method.last4}" if method else None
