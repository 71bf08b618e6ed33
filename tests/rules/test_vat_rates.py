"""The data file: complete, without gaps, and every figure with its source."""

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from models.rules.currency import EXPONENTS
from models.rules.timezone import zone
from models.rules.vat_rates import (
    CHECKED,
    CLOCKS,
    CURRENCIES,
    HOME,
    SINCE,
    SOURCES,
    STATES,
    TERRITORIES,
    NoRate,
    Rate,
    rate_on,
)

OF_TERRITORIES = {
    f"{territory.name}, {word}": rates
    for territory in TERRITORIES
    for word, rates in (("home", territory.home), ("abroad", territory.abroad))
    if rates
}
ALL = STATES | HOME | OF_TERRITORIES


def test_there_are_27_member_states() -> None:
    assert len(STATES) == 27


@pytest.mark.parametrize("rates", ALL.values(), ids=ALL.keys())
def test_rates_follow_one_another_without_gap_from_2024_until_further_notice(rates: tuple[Rate, ...]) -> None:
    assert rates[0].first <= SINCE
    assert rates[-1].last is None
    assert all(
        before.last is not None and after.first == before.last + timedelta(days=1) for before, after in pairwise(rates)
    )


@pytest.mark.parametrize("rates", STATES.values(), ids=STATES.keys())
def test_a_standard_rate_lies_where_the_directive_and_experience_put_it(rates: tuple[Rate, ...]) -> None:
    assert all(Decimal(15) <= rate.percent <= Decimal(27) for rate in rates)


def test_liechtenstein_has_switzerlands_rates() -> None:
    assert [(rate.percent, rate.first, rate.last) for rate in HOME["LI"]] == [
        (rate.percent, rate.first, rate.last) for rate in HOME["CH"]
    ]


def test_every_country_with_rates_has_a_clock() -> None:
    assert set(CLOCKS) == set(STATES) | set(HOME)
    assert all(zone(clock) for clock in (*CLOCKS.values(), *(each.clock for each in TERRITORIES if each.clock)))


def test_every_country_with_rates_levies_vat_in_one_currency() -> None:
    assert set(CURRENCIES) == set(STATES) | set(HOME)
    without_euro = {country: currency for country, currency in CURRENCIES.items() if currency != "EUR"}
    assert {country for country in without_euro if country in STATES} == {"CZ", "DK", "HU", "PL", "RO", "SE"}
    assert set(CURRENCIES.values()) <= set(EXPONENTS)


def test_every_figure_names_a_source_that_the_file_describes() -> None:
    named = {rate.source for rates in ALL.values() for rate in rates} | {
        source for each in TERRITORIES for source in each.sources
    }
    assert named <= set(SOURCES)
    assert all(len(SOURCES[source]) > 20 for source in named)


def test_no_rate_begins_after_the_file_was_checked() -> None:
    assert max(rate.first for rates in ALL.values() for rate in rates) <= CHECKED


def test_a_day_before_the_first_rate_is_refused() -> None:
    first = STATES["LU"][0].first
    with pytest.raises(NoRate, match="no VAT rate is known for LU on 2023-12-31"):
        rate_on(STATES["LU"], first - timedelta(days=1), place="LU")
