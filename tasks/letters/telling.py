"""How lines are told to their customer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.orders import PricedLine
from tasks.letters.names import ProductNames
from tasks.letters.whose_vat import WhoseVat
from tasks.letters.wording import Wording


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What the words about a line depend on besides the line."""

    w: Wording
    names: ProductNames
    in_effect: bool
    """whether what the lines buy is active, as it is once a letter or an invoice tells of it"""
    whose_vat: Mapping[int, WhoseVat] = field(default_factory=dict)
    """by position, the lines whose charge and credit bear the VAT of two countries"""
    credit_timezones: Mapping[str, str] = field(default_factory=dict)
    """see `models.sold_to`"""

    def of_credit(self, line: PricedLine) -> Wording:
        """Tells days as they were counted when what the line credits was charged."""
        return self.w.in_zone(self.credit_timezones.get(line.product_code, self.w.timezone))
