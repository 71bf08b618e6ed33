"""Money is whole minor units (cents for EUR, yen for JPY, fils for KWD): exact, and never a float."""

from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Final

from models.rules.errors import RuleError, WrongType

_HALF: Final = Fraction(1, 2)


class NegativeAmount(RuleError):
    """An amount below zero where only zero or more makes sense."""


def round_half_up(value: Fraction | Decimal | int) -> int:
    """The whole number nearest to `value`; a half goes away from zero: 2.5 -> 3, -2.5 -> -3.

    Rounding away from zero makes a credit note the exact mirror of its invoice (like Python's decimal.ROUND_HALF_UP).
    Raises WrongType for floats and bools, RuleError for a Decimal that is not finite.
    """
    number = exact("value", value)
    rounded = floor(abs(number) + _HALF)
    return rounded if number >= 0 else -rounded


def round_up_to(amount_minor: int, multiple_minor: int) -> int:
    """The smallest multiple of `multiple_minor` that is not below `amount_minor`: 10_001 to 10 -> 10_010."""
    missing = -amount_minor % multiple_minor
    return amount_minor + missing


def exact(name: str, value: Fraction | Decimal | int) -> Fraction:
    """`value` as a Fraction; refuses inexact values. name: for the error message."""
    if isinstance(value, bool) or not isinstance(value, int | Fraction | Decimal):
        raise WrongType(f"{name} must be an int, Fraction or Decimal, got {_kind(value)}; floats are not exact enough")
    if isinstance(value, Decimal) and not value.is_finite():
        raise RuleError(f"{name} must be a finite number, got {value}")
    return Fraction(value)


def whole_number(name: str, value: int) -> int:
    """`value` if it is an int and not a bool. name: for the error message."""
    return _whole(name, value, "an int")


def amount(name: str, value: int) -> int:
    """`value` if it is a count of minor units, zero or more.

    Raises WrongType for floats, Decimals and bools, NegativeAmount below zero.
    """
    minor = _whole(name, value, "an int of minor units (1190 for 11.90 EUR)")
    if minor < 0:
        raise NegativeAmount(f"{name} must be zero or more minor units, got {minor}; a credit is given by its own name")
    return minor


def _whole(name: str, value: int, must_be: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise WrongType(f"{name} must be {must_be}, got {_kind(value)}")
    return int(value)


def _kind(value: object) -> str:
    return f"{type(value).__name__} {value!r}"
