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
from models.rules.vat import BuyerType, TooEarly, Treatment, UnknownBuyerType, VatDecision, day_of_supply, decide
from models.rules.vat_rates import HOME, STATES, TERRITORIES, NoRate

TODAY = date(2026, 11, 22)
GERMAN, AUSTRIAN, GREEK, MONACAN = "DE136695976", "ATU13585627", "EL094259216", "FR61000000000"
OUT_OF_SCOPE = VatDecision(Treatment.OUT_OF_SCOPE, Decimal(0), None)
INVALID = VatDecision(Treatment.INVALID_NUMBER, None, None)


def ask(seller: str, buyer: str, number: str | None = None, kind: str = "business", **more: Any) -> VatDecision:
    return decide(
        seller_country=seller, buyer_country=buyer, vat_number=number, buyer_type=kind, **({"tax_point": TODAY} | more)
    )


def domestic(rate: str, number: str | None = None) -> VatDecision:
    return VatDecision(Treatment.DOMESTIC, Decimal(rate), number)


def destination(rate: str) -> VatDecision:
    return VatDecision(Treatment.DESTINATION_RATE, Decimal(rate), None)


def reverse_charge(number: str) -> VatDecision:
    return VatDecision(Treatment.REVERSE_CHARGE, Decimal(0), number)


@pytest.mark.parametrize("kind", ["business", "consumer"])
@pytest.mark.parametrize(
    ("number", "kept"), [(None, None), (GERMAN, GERMAN), ("DE 136 695 977", None), (AUSTRIAN, None), ("nonsense", None)]
)
def test_the_same_country_is_domestic_whatever_the_number(kind: str, number: str | None, kept: str | None) -> None:
    assert ask("DE", "DE", number, kind) == domestic("19", kept)


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
    ("country", "postcode"),
    [
        ("DE", "78266"),  # Büsingen
        ("DE", "27498"),  # Heligoland
        ("ES", "35001"),  # Canary Islands
        ("ES", "38999"),
        ("ES", "51001"),  # Ceuta
        ("ES", "52006"),  # Melilla
        ("IT", "23041"),  # Livigno
        ("IT", "22061"),  # Campione d'Italia
        ("IT", "47890"),  # San Marino
        ("IT", "00120"),  # Vatican
        ("GR", "63086"),  # Mount Athos
        ("FI", "22100"),  # Åland
        ("FR", "97110"),  # Guadeloupe
        ("FR", "97200"),  # Martinique
        ("FR", "97300"),  # French Guiana
        ("FR", "97400"),  # Réunion
        ("FR", "97500"),  # Saint-Pierre-et-Miquelon
        ("FR", "97600"),  # Mayotte
        ("FR", "98800"),  # New Caledonia
        ("DK", "3900"),  # Greenland
    ],
)
@pytest.mark.parametrize("kind", ["business", "consumer"])
def test_territories_outside_the_vat_area_are_out_of_scope(country: str, postcode: str, kind: str) -> None:
    assert ask("SE", country, GERMAN, kind, postcode=postcode) == OUT_OF_SCOPE


@pytest.mark.parametrize(
    ("country", "postcode", "rate"),
    [
        ("ES", "03500", "21"),  # Benidorm
        ("ES", "3500", "21"),  # no Spanish postcode at all
        ("ES", "07001", "21"),  # Balearic Islands
        ("DE", "78267", "19"),
        ("IT", "23030", "22"),  # many places besides Livigno
        ("IT", "22060", "22"),
        ("FR", "20000", "20"),  # Corsica
        ("FR", "98000", "20"),  # Monaco
        ("FI", "00220", "25.5"),
        ("GR", "63087", "24"),
        ("PT", "1000-001", "23"),
        ("PT", "8999-999", "23"),
        ("PT", "9000-001", "22"),  # Madeira
        ("PT", "9400", "22"),  # Porto Santo
        ("PT", "9499999", "22"),
        ("PT", "9500-001", "16"),  # Azores
        ("PT", "9980-024", "16"),
        ("AT", "6690", "20"),
        ("AT", "6691", "19"),  # Jungholz
        ("AT", "6990", "20"),
        ("AT", "6991", "19"),  # Mittelberg
        ("AT", "6993", "19"),
        ("AT", "6994", "20"),
    ],
)
def test_a_postcode_decides_the_rate(country: str, postcode: str, rate: str) -> None:
    assert ask("SE", country, kind="consumer", postcode=postcode) == destination(rate)
    assert ask(country, country, kind="consumer", postcode=postcode) == domestic(rate)


@pytest.mark.parametrize("postcode", ["78266", " 78 266 ", "D-78266", "DE-78266", "d78266"])
def test_a_postcode_is_understood_as_customers_write_it(postcode: str) -> None:
    assert ask("AT", "DE", postcode=postcode) == OUT_OF_SCOPE


@pytest.mark.parametrize("postcode", ["78266", "27498"])
def test_for_vat_a_territory_outside_is_not_its_own_country_either(postcode: str) -> None:
    assert ask("DE", "DE", postcode=postcode) == OUT_OF_SCOPE


def test_finlands_own_vat_holds_on_aland_for_finnish_sellers() -> None:
    assert ask("FI", "FI", postcode="22100") == ask("FI", "AX") == domestic("25.5")
    assert ask("SE", "AX") == OUT_OF_SCOPE


@pytest.mark.parametrize(
    ("buyer", "postcode", "at_home"),
    [
        ("GP", None, domestic("8.5")),
        ("MQ", None, domestic("8.5")),
        ("RE", None, domestic("8.5")),
        ("FR", "97410", domestic("8.5")),
        ("GF", None, OUT_OF_SCOPE),
        ("YT", None, OUT_OF_SCOPE),
        ("BL", None, OUT_OF_SCOPE),
        ("FR", "97133", OUT_OF_SCOPE),  # Saint-Barthélemy, though it looks like Guadeloupe
        ("FR", "97150", OUT_OF_SCOPE),  # Saint-Martin, likewise
    ],
)
def test_france_has_rates_of_its_own_overseas(buyer: str, postcode: str | None, at_home: VatDecision) -> None:
    assert ask("FR", buyer, postcode=postcode) == at_home
    assert ask("DE", buyer, postcode=postcode) == OUT_OF_SCOPE


def test_monaco_is_france() -> None:
    assert ask("DE", "MC", kind="consumer") == destination("20")
    assert ask("FR", "MC") == domestic("20")
    assert ask("DE", "MC", "FR 23 334 175 221") == reverse_charge("FR23334175221")


@pytest.mark.parametrize(("postcode", "country", "number"), [("9000", "PT", "PT501964843"), ("6691", "AT", AUSTRIAN)])
def test_a_business_with_a_number_in_a_territory_with_its_own_rate_owes_the_tax_itself(
    postcode: str, country: str, number: str
) -> None:
    assert ask("DE", country, number, postcode=postcode) == reverse_charge(number)


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


def test_every_territory_belongs_to_a_member_state() -> None:
    assert {territory.country for territory in TERRITORIES} <= set(STATES)
