"""What is sold: products, their tiers in rank order, and prices per seat, by version of the catalogue."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Identity, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Currency, Listed, Minor
from models.rules.period import Interval


class CatalogueVersion(Base):
    """One loaded catalogue file; prices are those of the newest version in effect."""

    __tablename__ = "catalogue_versions"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    effective_from: Mapped[datetime]
    checksum: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of what the file says: the same catalogue loads once"""
    loaded_at: Mapped[CreatedAt]


class Product(Base):
    __tablename__ = "products"
    __table_args__ = (CheckConstraint("trial_days > 0", name="trial_days_positive"),)

    code: Mapped[str] = mapped_column(String(60), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    trial_days: Mapped[int | None]
    """length of a trial, None where the product has none"""


class Tier(Base):
    """A plan. A higher rank is a higher tier; two tiers of a product never share one."""

    __tablename__ = "tiers"
    __table_args__ = (UniqueConstraint("product_code", "rank"),)

    product_code: Mapped[str] = mapped_column(ForeignKey("products.code"), primary_key=True)
    code: Mapped[str] = mapped_column(String(60), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    rank: Mapped[int]


class Price(Base):
    """Minor units per seat and period, tax not included."""

    __tablename__ = "prices"
    __table_args__ = (
        ForeignKeyConstraint(["product_code", "tier_code"], ["tiers.product_code", "tiers.code"]),
        CheckConstraint("unit_minor >= 0", name="unit_not_negative"),
    )

    version_id: Mapped[int] = mapped_column(ForeignKey("catalogue_versions.id"), primary_key=True)
    product_code: Mapped[str] = mapped_column(String(60), primary_key=True)
    tier_code: Mapped[str] = mapped_column(String(60), primary_key=True)
    interval: Mapped[Interval] = mapped_column(Listed(Interval, "billing_interval"), primary_key=True)
    currency: Mapped[Currency] = mapped_column(primary_key=True)
    unit_minor: Mapped[Minor]
