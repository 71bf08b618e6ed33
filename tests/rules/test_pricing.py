"""What a period costs, and the tax on it."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from models.rules.errors import RuleError, WrongType
from models.rules.money import NegativeAmount
from models.rules.pricing import charge, tax


@pytest.mark.parametrize(
    ("price", "seats", "cost"), [(1190, 1, 1190), (1190, 25, 29750), (0, 25, 0), (1190, 0, 0), (10**15, 10**6, 10**21)]
)
def test_a_period_costs_the_price_of_a_seat_times_the_seats(price: int, seats: int, cost: int) -> None:
    assert charge(unit_price_minor=price, seats=seats) == cost


@pytest.mark.parametrize(
    ("price", "seats"), [(11.9, 1), (1190, 1.0), (True, 1), (1190, True), (Decimal(1190), 1), (1190, None)]
)
def test_prices_and_seats_are_ints(price: Any, seats: Any) -> None:
    with pytest.raises(WrongType):
        charge(unit_price_minor=price, seats=seats)


@pytest.mark.parametrize(("price", "seats"), [(-1, 1), (1, -1)])
def test_nothing_costs_less_than_nothing(price: int, seats: int) -> None:
    with pytest.raises(NegativeAmount):
        charge(unit_price_minor=price, seats=seats)


@pytest.mark.parametrize(
    ("net", "rate", "due"),
    [
        (10000, "19", 1900),
        (10000, "25.5", 2550),
        (10, "25", 3),  # 2.5 cents
        (2, "25", 1),  # exactly half a cent
        (2, "24.99", 0),  # just under it
        (0, "19", 0),
        (12345, "0", 0),
        (1, "100", 1),
        (999, "8.1", 81),  # 80.919
    ],
)
def test_tax_is_rounded_half_up_once(net: int, rate: str, due: int) -> None:
    assert tax(net_minor=net, rate=Decimal(rate)) == due


@pytest.mark.parametrize("rate", [19.0, "19", True, None, Fraction(19, 100)])
def test_a_rate_is_a_decimal_of_percent(rate: Any) -> None:
    with pytest.raises(WrongType, match="rate must be"):
        tax(net_minor=100, rate=rate)


@pytest.mark.parametrize("rate", ["-0.1", "100.01", "NaN", "Infinity"])
def test_a_rate_lies_between_0_and_100(rate: str) -> None:
    with pytest.raises(RuleError, match="rate must be"):
        tax(net_minor=100, rate=Decimal(rate))


def test_the_tax_of_a_credit_is_asked_for_by_its_amount() -> None:
    with pytest.raises(NegativeAmount, match="net_minor must be zero or more"):
        tax(net_minor=-100, rate=Decimal(19))
