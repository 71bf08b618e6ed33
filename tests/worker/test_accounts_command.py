"""`prorata accounts list`: from an account's name to the ids that a quote asks for."""

import json

import pytest
from typer.testing import CliRunner, Result

from tests.support.world import World
from worker.commands import accounts


@pytest.fixture(autouse=True)
def _plugged_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "plug_in_from_settings", lambda: None)
    monkeypatch.setenv("COLUMNS", "170")


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
