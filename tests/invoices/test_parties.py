"""Seller and buyer of a document, line by line."""

import pytest

from models.accounts import Language
from tasks.invoices.parties import buyer_lines
from tasks.letters.wording import Wording

ENGLISH = Wording(Language.EN, "EUR", "UTC")


@pytest.mark.parametrize(
    ("address", "lines"),
    [
        ("Musterstraße 1, 10115 Berlin", ["Musterstraße 1", "10115 Berlin"]),
        ("Calle de Alcalá, 45, 28014 Madrid", ["Calle de Alcalá, 45", "28014 Madrid"]),
        ("Calle de Alcalá, nº 45, 3º B, 28014 Madrid", ["Calle de Alcalá, nº 45", "3º B", "28014 Madrid"]),
        ("Via Torino, 2/A, 20123 Milano", ["Via Torino, 2/A", "20123 Milano"]),
        ("12, rue de la Paix, 75002 Paris", ["12, rue de la Paix", "75002 Paris"]),
        ("12 bis, rue de la Paix, 75002 Paris", ["12 bis, rue de la Paix", "75002 Paris"]),
        ("12 quater, rue de la Paix, 75002 Paris", ["12 quater, rue de la Paix", "75002 Paris"]),
        ("Andrássy út, 60., 1062 Budapest", ["Andrássy út, 60.", "1062 Budapest"]),
        ("Hauptstraße 5, 1010, Wien", ["Hauptstraße 5", "1010", "Wien"]),
        ("10, 20", ["10", "20"]),
        ("Tower 3, Canary Wharf, London", ["Tower 3", "Canary Wharf", "London"]),
        ("Calle de Alcalá,\n45,\n28014 Madrid", ["Calle de Alcalá,", "45,", "28014 Madrid"]),
    ],
)
def test_an_address_on_one_line_is_broken_at_commas_but_not_beside_a_house_number(
    address: str, lines: list[str]
) -> None:
    buyer = {"name": "Ada", "contact": "Ada", "address": address, "country": "ES"}
    assert buyer_lines(ENGLISH, buyer) == ("Ada", *lines, "Spain")
