"""`prorata settings`: what it says of a setting beside its value."""

import json

import pytest

from tests.support.command import SETTINGS, Command, prorata_at_a_terminal

OPEN = "not encrypted on its way"
DATABASE, BROKER = "PRORATA_DATABASE_URL", "PRORATA_BROKER_URL"


@pytest.mark.parametrize(
    ("name", "address", "said"),
    [
        (BROKER, "redis://:secret@redis:6379/0", OPEN),
        (BROKER, "redis://:secret@127.0.0.1:6379/0", ""),
        (BROKER, "rediss://:secret@redis:6379/0", ""),
        (DATABASE, "postgresql+psycopg://prorata:secret@db/prorata", OPEN),
        (DATABASE, "postgresql+psycopg://prorata:secret@db/prorata?sslmode=prefer", OPEN),
        (DATABASE, "postgresql+psycopg://prorata:secret@db/prorata?sslmode=verify-full", ""),
        (DATABASE, "postgresql+psycopg://prorata:secret@localhost/prorata", ""),
        (DATABASE, "postgresql+psycopg://prorata:secret@/prorata?host=/run/postgresql", ""),
        (DATABASE, "postgresql+psycopg://prorata:secret@/prorata?host=localhost,db", OPEN),
        (DATABASE, "postgresql+psycopg://prorata@/prorata?host=localhost,::1&port=5432,5433", ""),
        (DATABASE, "postgresql+psycopg://prorata@localhost/prorata?hostaddr=10.1.1.1", OPEN),
        (DATABASE, "postgresql+psycopg://prorata@/prorata?hostaddr=127.0.0.1,2001:db8::1", OPEN),
        (DATABASE, "postgresql+psycopg://prorata@/prorata?hostaddr=127.0.0.1,::1", ""),
        (DATABASE, "postgresql+psycopg://prorata@db/prorata?hostaddr=127.0.0.1", OPEN),
        (DATABASE, "postgresql+psycopg://prorata@/?service=prorata", OPEN),
    ],
)
def test_an_address_that_is_reached_without_tls_is_marked(prorata: Command, name: str, address: str, said: str) -> None:
    ended = prorata("settings", **SETTINGS | {name: address})
    [line] = [line for line in ended.out.splitlines() if line.startswith(name)]
    where, _, marked = line.partition("(secret)")[2].strip().partition(", ")
    assert (where[:3], marked) == ("at ", said)


@pytest.mark.parametrize(
    ("name", "address", "where"),
    [
        (DATABASE, "postgresql+psycopg://ada:hush@localhost:5433/books?sslmode=require", "at localhost:5433/books"),
        (DATABASE, "postgresql+psycopg://ada:hush@localhost/books", "at localhost:5432/books"),
        (
            DATABASE,
            "postgresql+psycopg://ada:hush@/books?host=localhost:5433&host=127.0.0.1",
            "at localhost:5433,127.0.0.1:5432/books",
        ),
        (
            DATABASE,
            "postgresql+psycopg://ada:hush@/books?host=::1,localhost&port=5433,5434",
            "at [::1]:5433,localhost:5434/books",
        ),
        (
            DATABASE,
            "postgresql+psycopg://ada:hush@127.0.0.1,localhost:5433/books",
            "at 127.0.0.1:5433,localhost:5433/books",
        ),
        (DATABASE, "postgresql+psycopg://ada:hush@/books?hostaddr=127.0.0.1,::1", "at 127.0.0.1:5432,[::1]:5432/books"),
        (DATABASE, "postgresql+psycopg://ada:hush@/books?host=/run/postgresql&port=5433", "at its socket:5433/books"),
        (DATABASE, "postgresql+psycopg://ada:hush@/?service=books&sslmode=require", "at its service books"),
        (BROKER, "redis://ada:hush@localhost/3", "at localhost:6379/3"),
    ],
)
def test_which_database_one_is_on_is_told_without_who_logs_in(
    prorata: Command, name: str, address: str, where: str
) -> None:
    ended = prorata("settings", **SETTINGS | {name: address})
    [line] = [line for line in ended.out.splitlines() if line.startswith(name)]
    assert line.split(maxsplit=1)[1] == f"(secret)  {where}"
    assert not {"ada", "hush"} & set(ended.out.replace(":", " ").replace("@", " ").split())


@pytest.mark.parametrize(
    "address",
    ["1 rue [/b], Paris", "[red]1 rue de la Paix[/red], Paris", "1 rue \\[b], Paris", "[link=https://x.example]1[/]"],
)
def test_a_value_is_shown_as_it_was_given_whatever_it_means_to_a_table(prorata: Command, address: str) -> None:
    ended = prorata("settings", **SETTINGS | {"PRORATA_SELLER_ADDRESS": address})
    [line] = [line for line in ended.out.splitlines() if line.startswith("PRORATA_SELLER_ADDRESS")]
    assert line.removeprefix("PRORATA_SELLER_ADDRESS").strip() == address


def test_no_value_steers_the_terminal(prorata: Command) -> None:
    ended = prorata("settings", **SETTINGS | {"PRORATA_SELLER_NAME": "\x1b[2JKanban\u202e SAS"})
    assert "[2JKanban  SAS" in ended.out
    assert not {"\x1b", "\u202e"} & set(ended.out)


def test_a_value_is_written_as_it_would_be_given(prorata: Command) -> None:
    ended = prorata("settings", **SETTINGS | {"PRORATA_INVOICE_ON_VAT": "True"})
    lines = [line.split() for line in ended.out.splitlines()]
    assert ["PRORATA_INVOICE_ON_VAT", "true"] in lines
    assert ["PRORATA_SMTP_USERNAME", "(empty)", "default"] in lines


def test_a_long_address_is_on_one_line_with_its_name_at_a_terminal_too() -> None:
    address = "http://127.0.0.1:23662/" + "x" * 60
    seen = prorata_at_a_terminal(80, "settings", **SETTINGS | {"PRORATA_VIES_BASE_URL": address})
    [line] = [line for line in seen.splitlines() if line.startswith("PRORATA_VIES_BASE_URL")]
    assert line.split() == ["PRORATA_VIES_BASE_URL", address]


def test_a_program_reads_each_variable_and_no_secret(prorata: Command) -> None:
    given = SETTINGS | {"PRORATA_INVOICE_ON_VAT": "1", BROKER: "redis://:hush@redis:6379/0", "PRORATA_NOTHING": "hush"}
    ended = prorata("settings", "--json", **given)
    shown = {each.pop("variable"): each for each in json.loads(ended.out)}
    assert shown["PRORATA_INVOICE_ON_VAT"] == {"value": True, "secret": False, "remark": ""}
    assert shown["PRORATA_SMTP_PORT"]["value"] == int(given.get("PRORATA_SMTP_PORT", "587"))
    assert shown["PRORATA_SMTP_USERNAME"] == {"value": None, "secret": False, "remark": "default"}
    assert shown[BROKER] == {"value": None, "secret": True, "remark": f"at redis:6379/0, {OPEN}"}
    assert shown["PRORATA_NOTHING"] == {"value": None, "secret": False, "remark": "no setting: ignored"}
    assert "hush" not in ended.out
