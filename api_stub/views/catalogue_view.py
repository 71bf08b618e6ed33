"""The catalogue as a shop shows it, read from the tables."""

from collections import defaultdict
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from api_stub.schemas.amounts import money
from api_stub.schemas.catalogue import CatalogueView, PriceView, ProductView, TierView
from models.accounts import Language
from models.catalogue import CatalogueVersion, Price, Product, Tier
from models.offers import AS_OF


def view(session: Session, *, at: datetime, language: Language, currency: str | None) -> CatalogueView:
    """As it is sold at that time. currency: only the prices in this one."""
    in_force, *_ = AS_OF
    query = select(CatalogueVersion).where(CatalogueVersion.id == in_force)
    version = session.scalar(query, {"priced_at": at})
    prices = _prices(session, version.id, language, currency) if version else {}
    tiers: defaultdict[str, list[TierView]] = defaultdict(list)
    for tier in session.scalars(select(Tier).where(_was_sold(at)).order_by(Tier.product_code, Tier.rank)):
        key = (tier.product_code, tier.code)
        tiers[tier.product_code].append(TierView(code=tier.code, name=tier.name, prices=prices.get(key, [])))
    products = session.scalars(select(Product).where(Product.code.in_(tiers)).order_by(Product.code))
    return CatalogueView(
        version=version.id if version else None,
        effective_from=version.effective_from if version else None,
        language=language,
        products=[
            ProductView(code=each.code, name=each.name, trial_days=each.trial_days, tiers=tiers[each.code])
            for each in products
        ],
    )


def _was_sold(at: datetime) -> ColumnElement[bool]:
    """Whether a tier had a price by then: what a file announces for later is nobody's business yet."""
    began = select(Price.tier_code).join(CatalogueVersion, CatalogueVersion.id == Price.version_id)
    of_tier = began.where(Price.product_code == Tier.product_code, Price.tier_code == Tier.code)
    return of_tier.where(CatalogueVersion.effective_from <= at).exists()


def _prices(
    session: Session, version: int, language: Language, currency: str | None
) -> dict[tuple[str, str], list[PriceView]]:
    """By product and tier."""
    query = select(Price).where(Price.version_id == version).order_by(Price.interval, Price.currency)
    if currency is not None:
        query = query.where(Price.currency == currency)
    found: defaultdict[tuple[str, str], list[PriceView]] = defaultdict(list)
    for price in session.scalars(query):
        unit = money(price.unit_minor, price.currency, language)
        found[price.product_code, price.tier_code].append(PriceView(interval=price.interval, unit_price=unit))
    return found
