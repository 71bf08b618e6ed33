"""What the catalogue sells. Every process caches each version that it has read, and asks the database only which version applies."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from models.catalogue import CatalogueVersion, Price, Product, Tier
from models.rules.cart import Offer
from models.rules.period import Interval


class Edition(NamedTuple):
    """Identifies one state of the catalogue. `AS_OF` selects its fields."""

    in_force: int | None
    """the version whose prices count"""
    newest: int | None
    newest_loaded_at: datetime | None
    """products and tiers are those of the newest version, in force or not; part of the key because two databases may use the same ids"""


AS_OF = (
    select(CatalogueVersion.id)
    .where(CatalogueVersion.effective_from <= bindparam("priced_at"))
    .order_by(CatalogueVersion.effective_from.desc(), CatalogueVersion.id.desc())
    .limit(1)
    .scalar_subquery(),
    select(func.max(CatalogueVersion.id)).scalar_subquery(),
    select(func.max(CatalogueVersion.loaded_at)).scalar_subquery(),
)
"""columns to add to a query that is made anyway; `priced_at`: the instant at which prices are looked up"""

_MOST = 100
"""cached combinations of edition and currency; a full cache is emptied"""


@dataclass(frozen=True, slots=True)
class Sold:
    """Everything that is sold in one currency, with its names."""

    offers: Mapping[str, Offer]
    """by product"""
    products: Mapping[str, str]
    """code -> name"""
    tiers: Mapping[tuple[str, str], str]
    """(product, tier) -> name"""


_read: dict[tuple[Edition, str], Sold] = {}


def sold(session: Session, edition: Edition, currency: str) -> Sold:
    found = _read.get((edition, currency))
    if found is None:
        found = _ask(session, edition, currency)
        if len(_read) >= _MOST:
            _read.clear()
        _read[edition, currency] = found
    return found


def _ask(session: Session, edition: Edition, currency: str) -> Sold:
    products = session.execute(select(Product.code, Product.name, Product.trial_days)).all()
    tiers = session.execute(select(Tier.product_code, Tier.code, Tier.name, Tier.rank)).all()
    ranks: dict[str, dict[str, int]] = {code: {} for code, _, _ in products}
    prices: dict[str, dict[tuple[str, Interval], int]] = {code: {} for code, _, _ in products}
    for product, tier, _, rank in tiers:
        ranks[product][tier] = rank
    counted = select(Price.product_code, Price.tier_code, Price.interval, Price.unit_minor).where(
        Price.version_id == edition.in_force, Price.currency == currency
    )
    for product, tier, interval, unit_minor in session.execute(counted):
        prices[product][tier, interval] = unit_minor
    return Sold(
        offers={code: Offer(ranks[code], prices[code], trial_days) for code, _, trial_days in products},
        products={code: name for code, name, _ in products},
        tiers={(product, tier): name for product, tier, name, _ in tiers},
    )
