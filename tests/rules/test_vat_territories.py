"""Places within a country that have a VAT of their own, or none."""

import pytest

from models.rules.vat import VatDecision
from models.rules.vat_rates import STATES, TERRITORIES
from tests.rules.vat_questions import (
    GERMAN,
    OUT_OF_SCOPE,
    ask,
    destination,
    domestic,
    reverse_charge,
)


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
        ("AT", "6691", "20"),  # Jungholz and Mittelberg: 19 % is for sellers from there
        ("AT", "6991", "20"),
        ("AT", "6993", "20"),
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


def test_a_business_with_a_number_in_a_territory_with_its_own_rate_owes_the_tax_itself() -> None:
    assert ask("DE", "PT", "PT501964843", postcode="9000") == reverse_charge("PT501964843")


def test_every_territory_belongs_to_a_member_state() -> None:
    assert {territory.country for territory in TERRITORIES} <= set(STATES)
