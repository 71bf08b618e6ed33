"""`prorata people`: everything about a person for the person, their erasure with what stays, and the record of it."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import object_session
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from models.accounts import Contact
from models.erasures import Erasure
from models.orders import Order
from tasks.personal_data import erasure, holdings
from tasks.personal_data.erasure import NotErasable
from tasks.personal_data.holdings import EVIDENCE, HOLDINGS
from tasks.personal_data.person import Person
from tasks.plain_text import UNPRINTABLE
from tests.support.command import SETTINGS, Command, prorata_of_its_own
from tests.support.world import Customer, World, change, purchase
from worker.commands import people
from worker.commands.people import NOTHING

STEERING = "\x1b[2J\x9b31m\u202e[bold]"


@pytest.fixture(autouse=True)
def _logs_aside(plugged_in: None) -> Iterator[None]:
    with capture_logs():
        yield


def run(*words: str) -> Result:
    return CliRunner().invoke(people.people, list(words))


def as_json(*words: str) -> Any:
    answer = run(*words, "--json")
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def erase(email: str, *words: str) -> Result:
    return run("erase", email, "--why", "asked on 3 May", *words)


@pytest.fixture
def ada(world: World) -> Customer:
    """With an order that has ended."""
    ada = world.customer(name="Söhne GmbH")
    world.buy(ada, purchase())
    return ada


def email_of(world: World, customer: Customer) -> str:
    [contact] = world.rows(Contact, id=customer.contact_id)
    return str(contact.email)


def test_a_program_is_given_everything(world: World, ada: Customer) -> None:
    told = as_json("show", ada.email)
    assert list(told) == ["email", *(kind.name for kind in HOLDINGS)]
    assert told["email"] == ada.email
    assert {name: len(rows) for name, rows in told.items() if name != "email" and rows} == {
        "contacts": 1, "accounts": 1, "payment_methods": 1, "orders": 1, "charges": 1, "invoices": 1, "quotes": 1, "letters": 2
    }  # fmt: skip
    [contact], [invoice], [order] = told["contacts"], told["invoices"], told["orders"]
    assert (contact["id"], contact["account"], contact["email"]) == (str(ada.contact_id), "Söhne GmbH", ada.email)
    assert invoice["order"] == order["number"]
    assert order["finished_at"].endswith("+00:00")


def test_a_person_sees_a_table_of_each_kind_of_data_that_there_is(world: World, ada: Customer) -> None:
    seen = run("show", ada.email).stdout.splitlines()
    titles = [line for line in seen if line.strip() in {kind.name for kind in HOLDINGS}]
    assert titles == ["contacts", "accounts", "payment_methods", "orders", "charges", "invoices", "quotes", "letters"]
    assert any(line.startswith(str(ada.contact_id)) and ada.email in line for line in seen)
    assert any("Söhne GmbH, Ada Byron, DE" in line for line in seen), "the buyer of the invoice, without JSON"


@pytest.mark.parametrize("words", [("show",), ("show", "--json"), ("erase", "--dry-run"), ("erase", "--why", "asked")])
def test_reading_is_of_one_moment_and_may_take_longer_than_others_may_say_nothing(
    world: World, ada: Customer, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """An order that is placed meanwhile is not in it, though orders are still to be read."""
    limits: list[Any] = []
    accounts = holdings.HOLDINGS[4]

    def slowly(row: Any, _: Person) -> bool:
        if not limits:
            world.buy(ada, change(seats=11))
        session = object_session(row[0])
        assert session is not None
        limits.append(session.scalar(text("show idle_in_transaction_session_timeout")))
        return True

    changed = [replace(each, concerns=slowly) if each is accounts else each for each in HOLDINGS]
    for module in (holdings, erasure):
        monkeypatch.setattr(module, "HOLDINGS", changed)
    command, *options = words
    ended = (
        run(command, ada.email, "--by", "bob", *options) if command == "erase" else run(command, ada.email, *options)
    )
    assert (ended.exit_code, limits) == (0, ["10min"])
    numbers = [str(order.number) for order in world.rows(Order)]
    assert len(numbers) == 2
    if command == "show":
        words_of_it = re.findall(r"[\w-]+", ended.stdout)  # an id may have the number's digits in it
        assert [number in words_of_it for number in sorted(numbers)] == [True, False]
    else:
        [row] = [line.split() for line in ended.stdout.splitlines() if line.startswith("orders")]
        assert row[:2] == ["orders", "1"]


def test_who_ordered_often_is_told_row_by_row(world: World, ada: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    """No row is kept, so that memory does not grow with the orders; and there are as many as there were."""
    for seats in (11, 12, 13):
        world.buy(ada, change(seats=seats))
    monkeypatch.setattr(holdings, "BATCH", 1)
    with world.begin() as session:
        [orders] = [
            [(row["number"], sum(isinstance(each, Order) for each in session)) for row in rows]
            for name, rows in holdings.told(session, ada.email)
            if name == "orders"
        ]
    assert orders == [(order.number, 1) for order in sorted(world.rows(Order), key=lambda order: order.number)]


@pytest.mark.parametrize("spelt", [str.upper, str.title, lambda email: f"  {email} "])
def test_an_address_is_compared_as_everywhere(world: World, ada: Customer, spelt: Any) -> None:
    assert as_json("show", spelt(ada.email))["email"] == ada.email


def test_letters_of_other_alphabets_are_compared_too(world: World, ada: Customer) -> None:
    with world.begin() as session:
        session.get_one(Contact, ada.contact_id).email = "jürgen@bücher.example"
    assert len(as_json("show", "JÜRGEN@Bücher.Example")["contacts"]) == 1
    erase("Jürgen@xn--bcher-kva.example")
    assert email_of(world, ada) == f"{ada.contact_id}@erased.invalid"


def test_where_nothing_is_held_that_is_said(world: World, ada: Customer) -> None:
    for words in (["show", "nobody@x.example"], ["erase", "nobody@x.example", "--why", "asked"]):
        answer = run(*words)
        assert (answer.exit_code, answer.stdout) == (0, f"{NOTHING}\n")
    assert set(map(len, as_json("show", "nobody@x.example").values())) == {len("nobody@x.example"), 0}
    assert world.rows(Erasure) == []


def test_an_erasure_says_what_is_erased_and_what_stays_and_why(world: World, ada: Customer) -> None:
    seen = [line.rstrip() for line in erase(ada.email).stdout.splitlines()]
    rows = {line.split()[0]: line for line in seen[1:] if line}
    assert rows["contacts"].split()[1] == "1"
    assert rows["contacts"].endswith("erased")
    assert rows["invoices"].endswith(f"stays: {EVIDENCE}")
    assert not {"seats", "webhooks"} & set(rows), "what there is none of"
    [record] = world.rows(Erasure)
    assert seen[-3] == f"Recorded as erasure {record.id}."
    assert seen[-2].startswith("Stripe may have the address with customer cus_")
    assert "accounts files" in seen[-1]
    assert ada.email not in " ".join(seen)


def test_a_program_is_told_the_same(world: World, ada: Customer) -> None:
    told = json.loads(erase(ada.email, "--json").stdout)
    [record] = world.rows(Erasure)
    assert told["erasure_id"] == str(record.id)
    assert told["erased"] == {"contacts": [str(ada.contact_id)], "seats": [], "support_cases": [], "reasons": []}
    assert told["stays"]["invoices"] == {"rows": 1, "because": EVIDENCE}
    assert [ref[:4] for ref in told["stripe_customers"]] == ["cus_"]


def test_a_dry_run_says_the_same_and_erases_nothing(world: World, ada: Customer) -> None:
    would = run("erase", ada.email, "--dry-run").stdout.splitlines()
    assert email_of(world, ada) == ada.email
    assert world.rows(Erasure) == []
    done = erase(ada.email).stdout.splitlines()
    assert [line.rstrip().replace("would be erased", "erased") for line in would] == [
        line.rstrip() for line in done if not line.startswith("Recorded")
    ]


def test_what_is_still_needed_is_refused(world: World, ada: Customer) -> None:
    world.assign(ada, "desk", ada.email)
    for words in ([], ["--dry-run"], ["--json"]):
        refused = erase(ada.email, *words)
        assert isinstance(refused.exception, NotErasable)
        assert ada.email not in str(refused.exception)
    assert email_of(world, ada) == ada.email


def test_erasures_are_listed_latest_first_without_the_address(
    world: World, ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (run("erasures").stdout, as_json("erasures")) == ("Nobody was erased.\n", [])
    bob = world.customer()
    run("erase", ada.email, "--why", "asked on 3 May", "--by", "eve")
    monkeypatch.setenv("LOGNAME", "mia")
    run("erase", bob.email, "--why", "left")
    last, first = as_json("erasures")
    assert (first["erased_by"], first["erased_why"], first["rows"]) == (
        "eve", "asked on 3 May", {"contacts": [str(ada.contact_id)]}
    )  # fmt: skip
    assert (last["erased_by"], last["erased_at"]) == ("mia", world.time.isoformat(timespec="microseconds"))
    seen = run("erasures").stdout.splitlines()
    assert [line.split()[0] for line in seen[1:]] == [last["id"], first["id"]]
    assert "contacts 1" in seen[1]
    cut = run("erasures", "--limit", "1")
    assert (len(cut.stdout.splitlines()), "--limit" in cut.stderr) == (2, True)


WRONG = (
    *(["show", email] for email in ("", " ", "ada", "ada@", "@x.example", "a b@x.example", "Ada <ada@x.example>")),
    *(["show", email] for email in ("ada@x", "ada@x.example\udcff", "a\0@x.example", "x@erased.invalid", "a" * 400)),
    ["show"],
    ["erase", "ada@x.example"],
    ["erase", "ada@x.example", "--why", " "],
    ["erase", "ada@x.example", "--why", "asked", "--by", " "],
    ["erase", "ada", "--why", "asked"],
    ["erasures", "--limit", "0"],
)


def test_what_is_wrongly_asked_ends_with_2() -> None:
    assert [words for words in WRONG if run(*words).exit_code != 2] == []


def test_nothing_that_somebody_wrote_steers_the_terminal(world: World) -> None:
    ada = world.customer(name=f"Ada{STEERING}")
    with world.begin() as session:
        session.get_one(Contact, ada.contact_id).name = f"Ada{STEERING}"
    shown = [run(*words).stdout for words in (["show", ada.email], ["show", ada.email, "--json"])]
    run("erase", ada.email, "--why", f"so{STEERING}", "--by", f"bob{STEERING}")
    shown += [run(*words).stdout for words in (["erasures"], ["erasures", "--json"])]
    assert set("".join(found for text in shown for found in UNPRINTABLE.findall(text))) == {"\n"}
    assert all("[bold]" in text for text in shown), "what looks like markup is shown as it is"


def test_the_command_itself_ends_with_the_statuses_of_the_others(
    world: World, world_database_url: str, ada: Customer, prorata: Command
) -> None:
    settings = SETTINGS | {"PRORATA_DATABASE_URL": world_database_url}
    bob = world.customer()
    world.place(bob, purchase())
    refused = prorata("people", "erase", bob.email, "--why", "asked", **settings)
    assert (refused.status, refused.out) == (1, "")
    assert refused.err.startswith("Nothing was erased, because this person's data is still needed for:\norder ")
    erased = prorata_of_its_own("people", "erase", ada.email, "--why", "asked", "--json", **settings)
    done, logged = json.loads(erased.out), json.loads(erased.err)
    assert (erased.status, logged["erasure_id"]) == (0, done["erasure_id"])
    assert prorata("people", "show", "nobody", **settings).status == 2
