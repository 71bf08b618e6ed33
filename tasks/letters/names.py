"""What products and tiers are called in front of customers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.plain_text import one_line


@dataclass(frozen=True, slots=True)
class ProductNames:
    """Display names from the catalogue; whatever has none goes by its code."""

    products: Mapping[str, str] = field(default_factory=dict)
    tiers: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(product code, tier code) -> name"""

    def product(self, code: str) -> str:
        return one_line(self.products.get(code, code))

    def tier(self, product: str, code: str) -> str:
        return one_line(self.tiers.get((product, code), code))

    def plan(self, product: str, tier: str) -> str:
        """Product and tier together: 'Desk Team'."""
        return f"{self.product(product)} {self.tier(product, tier)}"

    def tier_of_any(self, code: str) -> str:
        """A tier's name where the product is not known; its code, if products name that tier differently."""
        called = {name for (_, tier), name in self.tiers.items() if tier == code}
        return one_line(called.pop()) if len(called) == 1 else code
