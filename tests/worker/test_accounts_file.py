"""An accounts file with mistakes is refused with each one's line and reason."""

from datetime import timedelta
from pathlib import Path

import pytest

from models.accounts import Language
from models.rules.cart import Action, CartLine
from models.rules.period import Interval
from worker.loading import accounts_file, readable_file
from worker.loading.accounts_file import AccountListed, account_id, contact_id
from worker.loading.readable_file import FileRefused

GOOD = """\
accounts:
  nordwind:
    name: Nordwind GmbH
    country: DE
    currency: EUR
    language: de
    timezone: Europe/Berlin
    payment_method: pm_card_visa
    contacts:
      - {name: Anna, email: Anna@nordwind.example, billing_contact: true}
      - {name: Bernd, email: bernd@nordwind.example}
    subscriptions:
      - {product: board, tier: team, seats: 10, interval: month, bought: 10 days ago}
      - {product: docs, tier: team, seats: 3, trial: true, bought: 1 day ago}
"""


def read(folder: Path, text: str) -> tuple[AccountListed, ...]:
    file = folder / "accounts.yaml"
    file.write_text(text, encoding="utf-8")
    return accounts_file.read(file).accounts


def test_an_account_is_read_with_all_that_is_said_of_it_and_nothing_else(tmp_path: Path) -> None:
    (account,) = read(tmp_path, GOOD)
    assert account.columns == {
        "name": "Nordwind GmbH",
        "country": "DE",
        "currency": "EUR",
        "language": Language.DE,
        "timezone": "Europe/Berlin",
    }
    assert [(contact.email, contact.is_billing_contact) for contact in account.contacts] == [
        ("anna@nordwind.example", True),
        ("bernd@nordwind.example", None),
    ]
    assert [(subscription.cart, subscription.age) for subscription in account.subscriptions] == [
        (CartLine(Action.PURCHASE, "board", "team", 10, Interval.MONTH), timedelta(days=10)),
        (CartLine(Action.TRIAL, "docs", "team", 3, None), timedelta(days=1)),
    ]


def test_an_account_is_called_by_its_code_or_by_its_id() -> None:
    by_code = accounts_file.account_called("nordwind")
    assert accounts_file.account_called(str(by_code)) == by_code


NORDWIND = "accounts.nordwind"

MISTAKES = [
    pytest.param("currency: EUR", "currency: EURO", 5, f"{NORDWIND}.currency: 'EURO' is not a currency of ISO 4217 with a minor unit; give a code in capitals such as 'EUR'", id="unknown currency"),
    pytest.param("country: DE", "country: NO", 4, f"{NORDWIND}.country: must be text, is NO: put it in quotes, 'NO'", id="Norway"),
    pytest.param("country: DE", "country: EL", 4, f"{NORDWIND}.country: must be a two-letter ISO 3166 country code such as 'DE', is 'EL'", id="the VAT registry's name for Greece"),
    pytest.param("language: de", "language: xx", 6, f"{NORDWIND}.language: must be one of {', '.join(Language)}, is 'xx'", id="unknown language"),
    pytest.param("Europe/Berlin", "Europe/Bonn", 7, f"{NORDWIND}.timezone: 'Europe/Bonn' is not a time zone of the IANA database; give a name such as 'Europe/Berlin'", id="unknown time zone"),
    pytest.param("bernd@nordwind.example", "bernd", 11, f"{NORDWIND}.contacts[2].email: An email address must have an @-sign.", id="no address"),
    pytest.param("bernd@nordwind.example", "'=?utf-8?q?anna=40b?=@nordwind.example'", 11, f"{NORDWIND}.contacts[2].email: must not contain =?, where mail programs see encoded text", id="an address that looks encoded"),
    pytest.param("bernd@", "ANNA@", 11, f"{NORDWIND}.contacts[2]: anna@nordwind.example is listed twice", id="an address twice"),
    pytest.param("product: docs", "product: board", 14, f"{NORDWIND}.subscriptions[2]: board is listed twice", id="a product twice"),
    pytest.param("interval: month, ", "", 13, f"{NORDWIND}.subscriptions[1]: needs an interval (month or year), or trial: true, and not both", id="no interval"),
    pytest.param("10 days ago", "yesterday", 13, f"{NORDWIND}.subscriptions[1].bought: must be like '10 days ago', is 'yesterday'", id="no day"),
    pytest.param("seats: 10", "seats: 0", 13, f"{NORDWIND}.subscriptions[1].seats: must be from 1 to 1000000, is 0", id="no seats"),
    pytest.param("    language: de", "    balance: \"5.00\"\n    language: de", 6, f"{NORDWIND}.balance: would be spent on the listed subscriptions first; give one or the other", id="balance beside subscriptions"),
    pytest.param("    name: Nordwind GmbH\n", "", 2, f"{NORDWIND}: name is missing", id="no name"),
    pytest.param("name: Nordwind GmbH", 'name: "Nord\\ewind"', 3, f"{NORDWIND}.name: must not contain control characters, and must be one line", id="escape sequence"),
    pytest.param("name: Nordwind GmbH", 'name: "Click http://evil.example"', 3, f"{NORDWIND}.name: must be a name, not a web address", id="link"),
    pytest.param("name: Nordwind GmbH", 'name: "Nord\\U000e0041wind"', 3, f"{NORDWIND}.name: must not contain control characters, and must be one line", id="a tag that nobody sees"),
    pytest.param("name: Nordwind GmbH", 'name: "\\u200d"', 3, f"{NORDWIND}.name: must contain a letter or a digit", id="a name that nobody sees"),
    pytest.param("    name: Nordwind GmbH", '    "na\\eme": 1\n    name: Nordwind GmbH', 3, f"{NORDWIND}: must not contain control characters, and must be one line", id="escape sequence in a key"),
]  # fmt: skip


@pytest.mark.parametrize(("was", "becomes", "line", "reason"), MISTAKES)
def test_a_mistake_is_refused_with_its_line_and_reason(
    tmp_path: Path, was: str, becomes: str, line: int, reason: str
) -> None:
    with pytest.raises(FileRefused) as refused:
        read(tmp_path, GOOD.replace(was, becomes, 1))
    assert [(problem.line, problem.reason) for problem in refused.value.problems] == [(line, reason)]


NO_ALIAS = "aliases (*name) are not accepted: write out what it stands for"


@pytest.mark.parametrize(
    ("was", "becomes", "line"),
    [
        ("email: bernd@nordwind.example}", "email: bernd@nordwind.example}\n    <<: *known", 12),
        ("contacts:\n", "contacts: *known\n", 9),
        ("country: DE", "country: &own DE\n    currency: *own", 5),
        ("    name: Nordwind GmbH", "    *known : x", 3),
    ],
)
def test_what_repeats_a_part_of_the_file_is_refused_with_its_line(
    tmp_path: Path, was: str, becomes: str, line: int
) -> None:
    anchored = GOOD.replace("  nordwind:", "  nordwind: &known", 1)
    with pytest.raises(FileRefused) as refused:
        read(tmp_path, anchored.replace(was, becomes, 1))
    assert [(problem.line, problem.reason) for problem in refused.value.problems] == [(line, NO_ALIAS)]


def test_the_longest_file_is_read_and_a_longer_one_refused_unread(tmp_path: Path) -> None:
    comment = "\n#" + "x" * (readable_file.LONGEST - len(GOOD) - 2)
    assert len(read(tmp_path, GOOD + comment)) == 1
    with pytest.raises(FileRefused) as refused:
        read(tmp_path, GOOD + comment + "x")
    [problem] = refused.value.problems
    assert problem.reason == "is longer than 4 MiB; split it, accounts may be loaded from several files"


def test_of_very_many_problems_the_first_are_told_and_how_many_more_there_are(tmp_path: Path) -> None:
    unknown = "\n".join(f"    k{number}: 1" for number in range(1000))
    with pytest.raises(FileRefused) as refused:
        read(tmp_path, GOOD.replace("    name: Nordwind GmbH", f"{unknown}\n    name: Nordwind GmbH", 1))
    told = str(refused.value).splitlines()
    assert (len(refused.value.problems), len(told)) == (1000, 101)
    assert told[0].startswith(f"{tmp_path / 'accounts.yaml'}:3: accounts.nordwind.k0: unknown key; known are name, ")
    assert told[-1] == "and 900 more"


def test_the_readme_orders_for_an_account_that_the_samples_have() -> None:
    told = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"BUYER={account_id('prairie')} " in told
    assert f'"contact_id": "{contact_id("prairie", "sam@prairie.example")}"' in told
