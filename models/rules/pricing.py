"""What a period costs, and the tax on it: exact, and rounded once per line."""

from decimal import Decimal
from fractions import Fraction

from models.rules.errors import RuleError, WrongType
from models.rules.money import NegativeAmount, amount, exact, round_half_up, whole_number


def charge(*, unit_price_minor: int, seats: int) -> int:
    """What `seats` cost for one period at `unit_price_minor` each; minor units, exact.

    Zero prices and zero seats are allowed (a free plan; a cart refuses zero seats itself).
    Raises WrongType for anything but ints, NegativeAmount below zero.
    """
    if whole_number("seats", seats) < 0:
        raise NegativeAmount(f"seats must be zero or more, got {seats}")
    return amount("unit_price_minor", unit_price_minor) * seats


def tax(*, net_minor: int, rate: Decimal) -> int:
    """Tax on `net_minor` at `rate` percent (Decimal('19') means 19 %); minor units, half rounded up, once.

    net_minor: zero or more; the tax of a credit is the tax of its amount, given back.
    Raises WrongType, NegativeAmount, RuleError for a rate outside 0 to 100.
    """
    return round_half_up(amount("net_minor", net_minor) * _share(rate))


def _share(rate: Decimal) -> Fraction:
    """`rate` percent as a share: 19 -> 19/100. Decimal or int, 0 to 100."""
    if not isinstance(rate, Decimal | int):
        raise WrongType(f"rate must be a Decimal of percent (19 for 19 %), got {type(rate).__name__} {rate!r}")
    share = exact("rate", rate) / 100
    if not 0 <= share <= 1:
        raise RuleError(f"rate must be 0 to 100 percent, got {rate}")
    return share
