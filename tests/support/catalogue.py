"""The catalogue that the tests' customers order from."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from models.catalogue import CatalogueVersion, Price, Product, Tier
from models.rules.period import Interval


def add_catalogue(session: Session) -> None:
    """Desk, Chat and Wiki; tiers basic < team < business at 5.00, 10.00 and 20.00 a seat and month, ten months' price a year."""
    version = CatalogueVersion(effective_from=datetime(2020, 1, 1, tzinfo=UTC), checksum="first")
    session.add(version)
    session.flush()
    for code, days in (("desk", 14), ("chat", 30), ("wiki", None)):
        session.add(Product(code=code, name=code.capitalize(), trial_days=days))
        session.flush()
        for rank, (tier, month) in enumerate((("basic", 5_00), ("team", 10_00), ("business", 20_00))):
            session.add(Tier(product_code=code, code=tier, name=tier.capitalize(), rank=rank))
            session.flush()
            for currency, scale in (("EUR", 1), ("USD", 1), ("JPY", 1), ("KWD", 10)):
                for interval, unit in ((Interval.MONTH, month), (Interval.YEAR, month * 10)):
                    session.add(
                        Price(
                            version_id=version.id,
                            product_code=code,
                            tier_code=tier,
                            interval=interval,
                            currency=currency,
                            unit_minor=unit * scale,
                        )
                    )
