"""Which VAT an order bears."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.country import ISO_3166, UnknownCountry
from models.rules.errors import RuleError, WrongType
from models.rules.timezone import NaiveDatetime
from models.rules.vat import (
    BuyerType,
    TooEarly,
    Treatment,
    UnknownBuyerType,
    VatDecision,
    day_of_supply,
    decide,
    levied_in,
)
from models.rules.vat_rates import HOME, STATES, NoRate
from tests.rules.vat_questions import (
    AUSTRIAN,
    GERMAN,
    GREEK,
    INVALID,
    OUT_OF_SCOPE,
    TODAY,
    ask,
    destination,
    domestic,
    reverse_charge,
)


@pytest.mark.parametrize(
    ("number", "kept"), [(None, None), (GERMAN, GERMAN), ("DE 136 695 977", None), (AUSTRIAN, None), ("nonsense", None)]
)
def test_the_same_country_is_domestic_whatever_the_number(number: str | None, kept: str | None) -> None:
    assert ask("DE", "DE", number) == domestic("19", kept)
    assert ask("DE", "DE", number, "consumer") == domestic("19"), "a consumer's number plays no part"


@pytest.mark.parametrize("country", sorted(STATES))
def test_every_member_state_has_its_own_rate_at_home_and_for_others(country: str) -> None:
    at_home, abroad = ask(country, country), ask("US", country)
    assert (at_home.treatment, abroad.treatment) == (Treatment.DOMESTIC, Treatment.DESTINATION_RATE)
    assert at_home.rate == abroad.rate is not None


def test_a_business_elsewhere_in_the_union_owes_the_tax_itself() -> None:
    assert ask("DE", "AT", AUSTRIAN) == reverse_charge(AUSTRIAN)


def test_a_seller_outside_the_union_leaves_it_to_the_business_too() -> None:
    assert ask("US", "AT", AUSTRIAN) == reverse_charge(AUSTRIAN)
    assert ask("GB", "AT", kind="consumer") == destination("20")


@pytest.mark.parametrize(
    "number",
    [
        "ATU13585628",  # check digit
        "ATU1358562",  # format
        GERMAN,  # another member state's
        "EU372000041",  # One Stop Shop
        "IM0400000010",  # One Stop Shop, imports
        "XI110305878",  # Northern Ireland
        "GB980780684",
        "CHE107787577",
        "US123",
        "none",
        "13585627",  # Austria's begin with U
    ],
)
def test_a_number_that_is_not_one_of_the_buyers_country_waits_for_correction(number: str) -> None:
    assert ask("DE", "AT", number) == INVALID


@pytest.mark.parametrize("number", [None, AUSTRIAN, GERMAN, "nonsense"])
def test_a_consumer_pays_the_destinations_rate_whatever_the_number(number: str | None) -> None:
    assert ask("DE", "AT", number, "consumer") == destination("20")


@pytest.mark.parametrize("number", [None, "", "   ", "-"])
def test_a_business_without_a_number_pays_as_a_consumer_does(number: str | None) -> None:
    assert ask("DE", "AT", number) == destination("20")


@pytest.mark.parametrize("code", ["GR", "EL", "gr"])
def test_greece_is_gr_or_el_and_its_numbers_begin_with_el(code: str) -> None:
    assert ask("DE", code, "GR 094259216") == reverse_charge(GREEK)
    assert ask(code, "GR", GREEK) == domestic("24", GREEK)


@pytest.mark.parametrize("buyer", ["GB", "XI", "CH", "US", "NO", "IM", "JE", "SM", "VA", "GL", "FO", "AD", "XK"])
@pytest.mark.parametrize("kind", ["business", "consumer"])
@pytest.mark.parametrize("number", [None, "XI110305878", GERMAN, "nonsense"])
def test_outside_the_unions_vat_is_out_of_scope(buyer: str, kind: str, number: str | None) -> None:
    assert ask("DE", buyer, number, kind) == OUT_OF_SCOPE


def test_two_places_outside_the_union_are_out_of_scope() -> None:
    assert ask("US", "CA") == OUT_OF_SCOPE


@pytest.mark.parametrize(
    ("seller", "buyer", "rate"), [("GB", "GB", "20"), ("GB", "XI", "20"), ("CH", "CH", "8.1"), ("NO", "NO", "25")]
)
def test_a_seller_outside_the_union_is_at_home_somewhere_too(seller: str, buyer: str, rate: str) -> None:
    assert ask(seller, buyer) == domestic(rate)


@pytest.mark.parametrize(("seller", "buyer"), [("CH", "LI"), ("LI", "CH"), ("LI", "LI")])
@pytest.mark.parametrize("kind", ["business", "consumer"])
def test_switzerland_and_liechtenstein_are_one(seller: str, buyer: str, kind: str) -> None:
    assert ask(seller, buyer, "CHE107787577", kind) == domestic("8.1")


@pytest.mark.parametrize(("seller", "buyer"), [("DE", "LI"), ("AT", "LI"), ("LI", "GB"), ("CH", "NO")])
def test_to_others_liechtenstein_is_outside_the_union_like_switzerland(seller: str, buyer: str) -> None:
    assert ask(seller, buyer) == OUT_OF_SCOPE


def test_a_home_country_without_a_known_rate_is_refused_rather_than_untaxed() -> None:
    with pytest.raises(NoRate, match=r"sales at home in US; add it to vat_rates.toml under \[home\]"):
        ask("US", "US")


@pytest.mark.parametrize(
    ("country", "last_day", "before", "after"),
    [
        ("FI", date(2024, 8, 31), "24", "25.5"),
        ("SK", date(2024, 12, 31), "20", "23"),
        ("EE", date(2025, 6, 30), "22", "24"),
        ("RO", date(2025, 7, 31), "19", "21"),
    ],
)
def test_a_rate_changes_overnight(country: str, last_day: date, before: str, after: str) -> None:
    assert ask("DE", country, tax_point=last_day).rate == Decimal(before)
    assert ask("DE", country, tax_point=last_day + timedelta(days=1)).rate == Decimal(after)


def test_the_day_of_an_instant_is_that_of_its_own_zone() -> None:
    tallinn = datetime(2025, 7, 1, 0, 30, tzinfo=timezone(timedelta(hours=3)))
    assert ask("DE", "EE", tax_point=tallinn).rate == Decimal(24)
    assert ask("DE", "EE", tax_point=tallinn.astimezone(UTC)).rate == Decimal(22)


@pytest.mark.parametrize(
    ("at", "country", "postcode", "day"),
    [
        ("2025-06-30T20:59:59", "EE", None, date(2025, 6, 30)),
        ("2025-06-30T21:00:00", "EE", None, date(2025, 7, 1)),
        ("2024-12-31T22:59:59", "SK", None, date(2024, 12, 31)),
        ("2024-12-31T23:00:00", "SK", None, date(2025, 1, 1)),
        ("2025-07-31T21:00:00", "RO", None, date(2025, 8, 1)),
        ("2026-06-30T23:30:00", "PT", "1100-148", date(2026, 7, 1)),
        ("2026-06-30T23:30:00", "PT", "9500-001", date(2026, 6, 30)),
        ("2026-06-30T22:30:00", "MC", None, date(2026, 7, 1)),
        ("2026-06-30T23:30:00", "XI", None, date(2026, 7, 1)),
        ("2026-06-30T20:59:59", "AX", None, date(2026, 6, 30)),
        ("2026-06-30T21:00:00", "AX", None, date(2026, 7, 1)),
        ("2026-07-01T03:59:59", "GP", None, date(2026, 6, 30)),
        ("2026-07-01T04:00:00", "GP", None, date(2026, 7, 1)),
        ("2026-06-30T23:30:00", "US", "10001", date(2026, 6, 30)),
    ],
)
def test_the_day_of_a_supply_is_that_of_the_clocks_where_the_buyer_is(
    at: str, country: str, postcode: str | None, day: date
) -> None:
    moment = datetime.fromisoformat(f"{at}+00:00")
    assert day_of_supply(moment, buyer_country=country, postcode=postcode) == day
    seen_from_tokyo = moment.astimezone(timezone(timedelta(hours=9)))
    assert day_of_supply(seen_from_tokyo, buyer_country=country, postcode=postcode) == day


def test_the_day_of_a_supply_needs_an_instant() -> None:
    with pytest.raises(NaiveDatetime, match="moment 2026-11-22T00:00:00 has no time zone"):
        day_of_supply(datetime(2026, 11, 22), buyer_country="EE")  # noqa: DTZ001


@pytest.mark.parametrize("buyer", ["DE", "FR", "US", "AX"])
def test_a_tax_point_before_2024_is_refused_everywhere(buyer: str) -> None:
    assert ask("DE", buyer, tax_point=date(2024, 1, 1)).rate is not None
    with pytest.raises(TooEarly, match="tax_point 2023-12-31 is before 2024-01-01"):
        ask("DE", buyer, tax_point=date(2023, 12, 31))


@pytest.mark.parametrize("code", ["", "ZZ", "XX", "EU", "UK", "DEU", "D", "Germany"])
def test_an_unknown_country_is_refused_on_either_side(code: str) -> None:
    with pytest.raises(UnknownCountry, match="buyer_country"):
        ask("DE", code)
    with pytest.raises(UnknownCountry, match="seller_country"):
        ask(code, "DE")


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"seller_country": None}, WrongType, "seller_country must be an ISO 3166 code"),
        ({"buyer_country": 276}, WrongType, "buyer_country must be an ISO 3166 code"),
        ({"buyer_type": "company"}, UnknownBuyerType, "buyer_type must be 'business' or 'consumer'"),
        ({"buyer_type": None}, WrongType, "buyer_type must be 'business' or 'consumer'"),
        ({"vat_number": 136695976}, WrongType, "vat_number must be a string or None"),
        ({"postcode": 78266}, WrongType, "postcode must be a string"),
        ({"tax_point": "2026-11-22"}, WrongType, "tax_point must be a date or an aware datetime"),
        ({"tax_point": None}, WrongType, "tax_point must be a date or an aware datetime"),
        ({"tax_point": datetime(2026, 11, 22)}, NaiveDatetime, "tax_point 2026-11-22T00:00:00 has no time zone"),  # noqa: DTZ001
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(
    wrong: dict[str, Any], error: type[RuleError], message: str
) -> None:
    question: dict[str, Any] = {
        "seller_country": "DE",
        "buyer_country": "AT",
        "buyer_type": "business",
        "tax_point": TODAY,
    }
    with pytest.raises(error, match=message):
        decide(**(question | wrong))


def test_the_buyer_type_may_be_a_member_or_its_string() -> None:
    assert ask("DE", "AT", AUSTRIAN, BuyerType.BUSINESS) == ask("DE", "AT", AUSTRIAN, "business")


POSTCODES = ["78266", "35001", "22100", "97110", "9000-001", "6691", "10115", ""]


@given(
    seller=st.sampled_from(sorted(STATES | HOME)),
    buyer=st.sampled_from(sorted(ISO_3166)),
    number=st.none() | st.sampled_from([GERMAN, AUSTRIAN, GREEK]) | st.text(max_size=16),
    kind=st.sampled_from(BuyerType),
    day=st.dates(date(2024, 1, 1), date(2030, 12, 31)),
    postcode=st.none() | st.sampled_from(POSTCODES) | st.text(max_size=9),
)
def test_every_question_has_one_answer_that_holds_together(
    seller: str, buyer: str, number: str | None, kind: BuyerType, day: date, postcode: str | None
) -> None:
    found = ask(seller, buyer, number, kind, tax_point=day, postcode=postcode)
    assert (found.rate is None) == (found.treatment is Treatment.INVALID_NUMBER)
    assert (found.rate == 0) == (found.treatment in (Treatment.REVERSE_CHARGE, Treatment.OUT_OF_SCOPE))
    assert found.number is not None if found.treatment is Treatment.REVERSE_CHARGE else True
    assert found.number is None or found.treatment in (Treatment.REVERSE_CHARGE, Treatment.DOMESTIC)
    assert kind is BuyerType.BUSINESS or found.treatment not in (Treatment.REVERSE_CHARGE, Treatment.INVALID_NUMBER)


@pytest.mark.parametrize("seller", sorted(STATES))
def test_between_two_member_states_a_consumer_pays_what_the_destination_takes_at_home(seller: str) -> None:
    paid = {buyer: ask(seller, buyer, kind="consumer") for buyer in STATES if buyer != seller}
    assert paid == {buyer: VatDecision(Treatment.DESTINATION_RATE, ask(buyer, buyer).rate, None) for buyer in paid}


@pytest.mark.parametrize(
    ("treatment", "seller", "buyer", "state"),
    [
        (Treatment.DOMESTIC, "DE", "DE", "DE"),
        (Treatment.DOMESTIC, "FR", "GP", "FR"),
        (Treatment.DOMESTIC, "CH", "LI", "CH"),
        (Treatment.DESTINATION_RATE, "DE", "CY", "CY"),
        (Treatment.DESTINATION_RATE, "DE", "MC", "FR"),
        (Treatment.DESTINATION_RATE, "DE", "EL", "GR"),
        (Treatment.REVERSE_CHARGE, "DE", "AT", None),
        (Treatment.OUT_OF_SCOPE, "DE", "US", None),
    ],
)
def test_vat_is_levied_in_the_sellers_state_at_home_and_elsewhere_in_the_buyers(
    treatment: Treatment, seller: str, buyer: str, state: str | None
) -> None:
    assert levied_in(treatment, seller_country=seller, buyer_country=buyer) == state
