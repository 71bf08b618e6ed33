"""What an account, or a contact, may be called, and its address."""

import pytest

from tests.api.conftest import Api
from tests.support.world import Customer


def test_an_address_as_a_browser_sends_it_is_kept_in_lines(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}"
    assert (
        api("PATCH", own, json={"address": "Hauptstr. 1\r\n10115 Berlin"}).json()["address"]
        == "Hauptstr. 1\n10115 Berlin"
    )


UNPRINTABLE = [
    "a\x9b31mb",
    "a\x85b",
    "a\x1b[31mb",
    "a\u2028b",
    "a\u2029b",
    "a\u202eb",
    "a\u2066b",
    "a\u3164b",
    "a\uffa0b",
    "a\U000e0041b",
]


@pytest.mark.parametrize("text", UNPRINTABLE, ids=ascii)
def test_an_address_has_nothing_that_steers_a_terminal_or_hides(api: Api, ada: Customer, text: str) -> None:
    answer = api("PATCH", f"/v1/accounts/{ada.account_id}", json={"address": f"Hauptstr. 1\n{text}"})
    assert answer.json()["errors"] == [{"pointer": "/address", "detail": "must be text without control characters"}]


@pytest.mark.parametrize(
    "name",
    ["  ", "\u3164", "\u115f\u1160", "\uffa0", "\U000e0041\U000e0042", "\u200d", "\u034f\ufe0f", "\u3164\u200b\u3164"],
    ids=ascii,
)
def test_a_blank_name_is_told_in_words(api: Api, ada: Customer, name: str) -> None:
    answer = api("PATCH", f"/v1/accounts/{ada.account_id}", json={"name": name})
    assert answer.json()["errors"] == [
        {"pointer": "/name", "detail": "must be text in one line with a letter or a digit in it"}
    ]


@pytest.mark.parametrize("name", ["Click http://evil.example", "WWW.evil.example", *UNPRINTABLE], ids=ascii)
def test_a_name_is_one_line_of_text_and_no_link(api: Api, ada: Customer, name: str) -> None:
    own = f"/v1/accounts/{ada.account_id}"
    assert api("PATCH", own, json={"name": name}).status_code == 422
    assert api.post(f"{own}/contacts", {"name": name, "email": "bob@example.com"}).status_code == 422


@pytest.mark.parametrize("name", ["S.p.A./GmbH", "Booking.com", "Dr.Müller/Dr.Schmidt", "GmbH & Co.KG/Werk 2"])
def test_a_company_may_be_called_like_a_part_of_a_link(api: Api, ada: Customer, name: str) -> None:
    assert api("PATCH", f"/v1/accounts/{ada.account_id}", json={"name": name}).json()["name"] == name
