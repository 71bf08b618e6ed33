"""Minor units, exponents and rounding."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from models.rules.currency import EXPONENTS, UnknownCurrency, exponent
from models.rules.currency import minor as read_minor
from models.rules.errors import RuleError, WrongType
from models.rules.money import NegativeAmount, amount, round_half_up, round_up_to, whole_number


@pytest.mark.parametrize(
    ("decimals", "currencies"),
    [(2, "EUR USD GBP CHF HUF MGA XCG BGN"), (0, "JPY KRW ISK UGX XOF"), (3, "KWD BHD TND IQD"), (4, "CLF UYW")],
)
def test_a_currency_has_the_decimals_of_iso_4217(decimals: int, currencies: str) -> None:
    assert {exponent(currency) for currency in currencies.split()} == {decimals}


def test_every_currency_code_is_three_capitals_and_counted_once() -> None:
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in EXPONENTS)
    assert len(EXPONENTS) == 167


@pytest.mark.parametrize("code", ["", "eur", "EURO", "XXX", "XAU", "XTS", "BTC", "DEM", "HRK"])
def test_what_is_no_currency_is_refused_by_name(code: str) -> None:
    with pytest.raises(UnknownCurrency, match=f"{code!r} is not a currency of ISO 4217"):
        exponent(code)


@pytest.mark.parametrize("code", [None, 978, b"EUR"])
def test_a_currency_that_is_no_string_is_a_wrong_type(code: Any) -> None:
    with pytest.raises(WrongType, match="currency must be an ISO 4217 code"):
        exponent(code)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        (0, 0),
        (7, 7),
        (Fraction(1, 2), 1),
        (Fraction(-1, 2), -1),
        (Fraction(5, 2), 3),
        (Fraction(-5, 2), -3),
        (Fraction(1, 3), 0),
        (Fraction(2, 3), 1),
        (Decimal("0.49999999999999999999999999999"), 0),
        (Decimal("1.5"), 2),
        (Decimal("-1.4"), -1),
        (Fraction(10**30 * 2 + 1, 2), 10**30 + 1),
        (Fraction(10**30 * 2 - 1, 2), 10**30),
    ],
)
def test_a_half_goes_away_from_zero_exactly(value: Fraction | Decimal | int, rounded: int) -> None:
    assert round_half_up(value) == rounded


@pytest.mark.parametrize(
    ("amount_minor", "multiple_minor", "rounded"),
    [(0, 10, 0), (1, 10, 10), (10, 10, 10), (11, 10, 20), (10_001, 10, 10_010), (99, 100, 100), (7, 1, 7)],
)
def test_an_amount_is_rounded_up_to_the_next_that_can_be_charged(
    amount_minor: int, multiple_minor: int, rounded: int
) -> None:
    assert round_up_to(amount_minor, multiple_minor) == rounded


@pytest.mark.parametrize("value", [0.5, 2.0, float("nan"), True, False, None, "1", 1j])
def test_what_is_not_exact_is_not_rounded(value: Any) -> None:
    with pytest.raises(WrongType, match="must be an int, Fraction or Decimal"):
        round_half_up(value)


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_decimal_that_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(RuleError, match="must be a finite number"):
        round_half_up(Decimal(value))


@pytest.mark.parametrize("value", [11.9, Decimal("11.90"), Fraction(1, 2), True, "1190", None])
def test_an_amount_is_an_int_of_minor_units_and_nothing_else(value: Any) -> None:
    with pytest.raises(WrongType, match=r"charge must be an int of minor units \(1190 for 11.90 EUR\)"):
        amount("charge", value)


def test_an_amount_below_zero_is_refused() -> None:
    assert amount("charge", 0) == 0
    with pytest.raises(NegativeAmount, match="charge must be zero or more minor units, got -1"):
        amount("charge", -1)


@pytest.mark.parametrize("kind", [ValueError, TypeError])
def test_a_wrong_type_is_caught_as_either_kind_of_error(kind: type[Exception]) -> None:
    with pytest.raises(kind):
        whole_number("seats", 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "currency", "minor"),
    [
        ("11.90", "EUR", 11_90),
        ("1,190.00", "EUR", 1_190_00),
        ("1190.00", "EUR", 1_190_00),
        ("1500", "JPY", 1500),
        ("1.500", "KWD", 1_500),
        ("11,90", "EUR", None),
        ("1.190,00", "EUR", None),
        ("1.500", "EUR", None),
        ("11.9", "EUR", None),
        ("11", "EUR", None),
        ("-11.90", "EUR", None),
        ("11.90 EUR", "EUR", None),
        ("", "EUR", None),
    ],
)
def test_an_amount_is_read_only_as_it_is_written(written: str, currency: str, minor: int | None) -> None:
    assert read_minor(written, currency) == minor
