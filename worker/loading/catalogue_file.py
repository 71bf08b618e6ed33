"""The catalogue as a readable file: products, their tiers in rank order, prices per seat, interval and currency.

effective_from: 2026-01-01T00:00:00Z      # optional; prices count from then on, else from the moment they are loaded
products:
  board:
    name: Board
    trial_days: 14                        # optional; without it there is no trial
    tiers:
      team:
        name: Team
        rank: 1                           # a higher rank is a higher tier
        prices:                           # {} keeps a tier that is no longer sold, nor given for a trial
          month: {EUR: "10.00", JPY: "1500"}
          year: {EUR: "100.00", JPY: "15000"}
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from models.rules.period import Interval
from worker.loading import readable_file
from worker.loading.readable_file import FileRefused, Place
from worker.loading.readable_values import code, currency, minor, moment, text, whole

PRICED_BY = [interval.value for interval in Interval]


@dataclass(frozen=True, slots=True)
class TierOffered:
    code: str
    name: str
    rank: int
    prices: dict[str, dict[str, int]]
    """interval -> currency -> minor units per seat"""
    line: int


@dataclass(frozen=True, slots=True)
class ProductOffered:
    code: str
    name: str
    trial_days: int | None
    tiers: tuple[TierOffered, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    file: Path
    effective_from: datetime | None
    products: tuple[ProductOffered, ...]

    @property
    def checksum(self) -> str:
        """SHA-256 of what the file says, not of how it is written: comments and order do not count."""
        said = {
            "effective_from": self.effective_from and self.effective_from.astimezone(UTC).isoformat(),
            "products": [
                {**asdict(product), "tiers": [asdict(tier) | {"line": 0} for tier in product.tiers]}
                for product in self.products
            ],
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def read(file: Path) -> Catalogue:
    """Raises FileRefused with every problem and its line."""
    document = readable_file.read(file)
    fields = document.fields(required=["products"], optional=["effective_from"])
    effective_from = fields.value("effective_from", moment)
    products = _products(fields["products"]) if "products" in fields else []
    if document.problems:
        raise FileRefused(file, document.problems)
    return Catalogue(file, effective_from, tuple(sorted(products, key=lambda product: product.code)))


def _products(place: Place) -> list[ProductOffered]:
    entries = place.entries(code)
    if not entries and not place.problems:
        place.wrong("names no product")
    return [product for name, entry in entries.items() if (product := _product(name, entry))]


def _product(name: str, place: Place) -> ProductOffered | None:
    fields = place.fields(required=["name", "tiers"], optional=["trial_days"])
    called = fields.value("name", text)
    trial_days = fields.value("trial_days", whole, least=1, most=365)
    tiers = _tiers(fields["tiers"]) if "tiers" in fields else []
    return ProductOffered(name, called, trial_days, tuple(tiers)) if called and tiers else None


def _tiers(place: Place) -> list[TierOffered]:
    entries = place.entries(code)
    tiers = [tier for name, entry in entries.items() if (tier := _tier(name, entry))]
    ranked: dict[int, TierOffered] = {}
    for tier in tiers:
        if first := ranked.get(tier.rank):
            entries[tier.code].wrong(f"has rank {tier.rank}, the same as {first.code} in line {first.line}")
        ranked.setdefault(tier.rank, tier)
    if not entries:
        place.wrong("names no tier")
    return sorted(tiers, key=lambda tier: tier.rank)


def _tier(name: str, place: Place) -> TierOffered | None:
    fields = place.fields(required=["name", "rank", "prices"])
    called = fields.value("name", text)
    rank = fields.value("rank", whole, least=1, most=1_000_000)
    prices = _prices(fields["prices"]) if "prices" in fields else {}
    return TierOffered(name, called, rank, prices, place.line) if called and rank else None


def _prices(place: Place) -> dict[str, dict[str, int]]:
    return {
        interval: dict(sorted(_by_currency(entry).items()))
        for interval, entry in place.fields(optional=PRICED_BY).items()
    }


def _by_currency(place: Place) -> dict[str, int]:
    entries = place.entries(currency)
    if not entries:
        place.wrong("has no price")
    found = {name: entry.read(minor, currency=name) for name, entry in entries.items()}
    return {name: price for name, price in found.items() if price is not None}
