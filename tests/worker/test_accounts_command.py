"""`prorata accounts list`: from an account's name to the ids that a quote asks for. `load`: what it says of those it loaded."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.support.world import World
from worker.commands import accounts

pytestmark = pytest.mark.usefixtures("plugged_in")


def run(*words: str) -> Result:
    return CliRunner().invoke(accounts.accounts, ["list", *words])


def test_an_account_is_found_by_part_of_its_name_with_the_ids_to_order_by(world: World) -> None:
    ada = world.customer(card=None, name="Ada & Söhne 100 %")
    world.customer(card=None, name="Somebody Else")
    assert json.loads(run("söhne 100 %", "--json").stdout) == [
        {
            "id": str(ada.account_id),
            "name": "Ada & Söhne 100 %",
            "country": "DE",
            "currency": "EUR",
            "contacts": [
                {"id": str(ada.contact_id), "name": "Ada Byron", "email": ada.email, "is_billing_contact": True}
            ],
        }
    ]
    seen = run("Söhne").stdout
    assert str(ada.account_id) in seen
    assert str(ada.contact_id) in seen
    assert "Somebody" not in seen


@pytest.mark.parametrize("typed", ["KRÜGER", "krüger", "Krüger", "üge", "Ü"])
def test_a_name_is_found_however_it_is_written_whatever_letters_the_databases_locale_knows(
    world: World, typed: str
) -> None:
    for name in ("KRÜGER & CO", "Kruger", "Krüger GmbH"):
        world.customer(card=None, name=name)
    assert [found["name"] for found in json.loads(run(typed, "--json").stdout)] == ["KRÜGER & CO", "Krüger GmbH"]
    assert [found["name"] for found in json.loads(run(typed, "--json", "--limit=1").stdout)] == ["KRÜGER & CO"]


def test_ids_are_whole_however_narrow_the_terminal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    ada = world.customer(card=None, name="A very long name " * 10)
    seen = run("very long").stdout
    assert str(ada.account_id) in seen
    assert str(ada.contact_id) in seen


def test_a_name_is_no_markup_and_steers_no_terminal(world: World) -> None:
    world.customer(card=None, name="Acme [/x]\x1b[31m\x9bLtd")
    seen = run("Acme")
    assert seen.exit_code == 0
    assert "Acme [/x] [31m Ltd" in seen.stdout
    told = run("Acme", "--json").stdout
    assert not {"\x1b", "\x9b"} & set(told)
    assert json.loads(told)[0]["name"] == "Acme [/x]\x1b[31m\x9bLtd"


def test_nobody_of_that_name_is_said(world: World) -> None:
    assert run("nobody").stdout == "There is no such account.\n"
    assert json.loads(run("nobody", "--json").stdout) == []


def test_a_list_that_was_cut_says_so_beside_what_programs_read(world: World) -> None:
    for name in ("One of many", "Two of many"):
        world.customer(card=None, name=name)
    cut = run("of many", "--limit", "1", "--json")
    assert [account["name"] for account in json.loads(cut.stdout)] == ["One of many"]
    assert cut.stderr == "The first 1: there may be more, see --limit.\n"
    assert run("of many", "--json").stderr == ""


FILE = """\
accounts:
  nordwind: {name: Nordwind GmbH, country: DE, currency: EUR, contacts: []}
  suedwind: {name: Südwind GmbH, country: DE, currency: EUR, contacts: []}
"""


def test_loading_says_how_many_have_no_address_for_their_invoices(world: World, tmp_path: Path) -> None:
    file = tmp_path / "accounts.yaml"
    file.write_text(FILE)
    first, missing = load(file)
    assert first == "2 accounts are new, 0 already existed; 0 orders placed for what they have already."
    assert missing == (
        "Without an address: 2. Their invoices will lack what invoices in the Union must name "
        "(Directive 2006/112/EC, article 226); give it in the file and load it again, or let them set it."
    )
    file.write_text(FILE.replace("country: DE,", "country: DE, address: 'Hafenstraße 2, 20457 Hamburg',"))
    assert load(file) == [
        "0 accounts are new, 2 already existed (2 changed: nordwind, suedwind); 0 orders placed for what they have already."
    ]


def test_loading_says_one_account_is_new(world: World, tmp_path: Path) -> None:
    file = tmp_path / "accounts.yaml"
    file.write_text(FILE[: FILE.index("  suedwind")].replace("country: DE,", "country: DE, address: Graben 1,"))
    assert load(file) == ["1 account is new, 0 already existed; 0 orders placed for what they have already."]


def test_loading_says_how_many_pay_vat_in_another_currency_than_that_of_its_state(world: World, tmp_path: Path) -> None:
    file = tmp_path / "accounts.yaml"
    file.write_text(FILE.replace("country: DE, currency: EUR", "country: AT, currency: USD, address: Graben 1"))
    _, missing = load(file)
    assert missing == (
        "VAT in a currency other than the tax state's: 2. Their invoices will lack the amount in that "
        "(Directive 2006/112/EC, article 230); see section 9 of docs/money.md."
    )


def test_loading_says_which_names_an_invoice_cannot_print(world: World, tmp_path: Path) -> None:
    file = tmp_path / "accounts.yaml"
    file.write_text(
        FILE.replace("Südwind GmbH,", "株式会社南風, address: Graben 1,").replace("GmbH,", "GmbH, address: Graben 1,")
    )
    _, *said = load(file)
    assert said == [
        "The PDF of an invoice cannot print these names and addresses (see section 9 of docs/money.md):",
        "  suedwind: 株式会社南風",
    ]


def load(file: Path) -> list[str]:
    return CliRunner().invoke(accounts.accounts, ["load", str(file)]).stdout.splitlines()
