"""`prorata ledger`: what a person sees, what a program reads, and the exit status."""

import json
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from models.books_checks import BooksCheck
from models.payments import ChargeAttempt
from tasks.ledger_check import reading
from tasks.ledger_check.differences import Check
from tests.support.command import SETTINGS, interruptible, prorata_at_a_terminal
from tests.support.waiting import until_it_waits_for
from tests.support.world import World, change, purchase
from worker.commands import ledger

pytestmark = pytest.mark.usefixtures("plugged_in")


def test_verify_ends_well_where_everything_agrees(world: World) -> None:
    world.buy(world.customer(), purchase())
    answer = CliRunner().invoke(ledger.ledger, ["verify"])
    assert (answer.exit_code, answer.stdout) == (0, "Everything agrees.\n")


def test_verify_names_each_difference_and_fails(world: World) -> None:
    order = world.buy(world.customer(), purchase("desk", seats=10))
    with world.begin() as session:
        session.execute(text("update charge_attempts set amount_minor = 11899"))
    said = CliRunner().invoke(ledger.ledger, ["verify"])
    assert said.exit_code == 1
    assert f"order {order.number}" in said.stdout
    read = CliRunner().invoke(ledger.ledger, ["verify", "--json"])
    assert read.exit_code == 1
    assert json.loads(read.stdout) == [
        {
            "check": "charge",
            "where": f"order {order.number}",
            "what": "what its card was charged",
            "expected": "11900",
            "found": "11899",
            "waits": False,
        }
    ]


def test_a_person_at_a_terminal_sees_how_far_it_is(world: World, world_database_url: str) -> None:
    world.customer()
    seen = prorata_at_a_terminal(100, "ledger", "verify", **SETTINGS | {"PRORATA_DATABASE_URL": world_database_url})
    assert re.findall(r"checking .* (\d+%)", seen)[-1] == "100%"
    assert seen.endswith("Everything agrees.\n")


def test_what_was_found_before_an_interruption_is_told_where_no_program_takes_it_for_all(
    world: World, world_database_url: str
) -> None:
    order = world.buy(world.customer(), purchase("desk", seats=10))
    with world.begin() as session:
        session.execute(text("update charge_attempts set amount_minor = 11899"))
    verifying = subprocess.Popen(
        interruptible("ledger", "verify"),
        env=os.environ | SETTINGS | {"PRORATA_DATABASE_URL": world_database_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with ThreadPoolExecutor() as pool, world.begin() as session:
        session.execute(text("lock table invoice_series"))  # which it reads last
        ended = pool.submit(verifying.communicate)
        until_it_waits_for(session, ended)
        verifying.send_signal(signal.SIGINT)
        out, err = ended.result()
    assert (verifying.returncode, out) == (130, "")
    title, _, row, *last = err.splitlines()
    assert (title, last) == (
        "1 difference",
        ["Incomplete: checked were 1 of 1 accounts, and not the numbers of documents.", "Interrupted."],
    )
    assert " ".join(row.split()) == f"charge order {order.number} what its card was charged 11900 11899"
    assert world.rows(BooksCheck) == []


def recorded(world: World) -> list[tuple[str, int]]:
    return sorted((row.name, row.differences) for row in world.rows(BooksCheck))


def test_the_metrics_learn_what_a_check_of_all_books_found(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", seats=10))
    CliRunner().invoke(ledger.ledger, ["verify", "--account", str(ada.account_id)])
    assert recorded(world) == []
    CliRunner().invoke(ledger.ledger, ["verify"])
    assert recorded(world) == [("verify", 0)]
    with world.begin() as session:
        session.execute(text("update charge_attempts set amount_minor = 11899"))
    CliRunner().invoke(ledger.ledger, ["verify", "--json"])
    assert recorded(world) == [("verify", 1)]


@pytest.mark.parametrize(("status", "exit_status"), [("needs_response", 0), ("lost", 1)])
def test_a_chargeback_is_shown_and_counts_only_once_the_bank_has_decided(
    world: World, status: str, exit_status: int
) -> None:
    order = world.buy(world.customer(), purchase("desk", seats=10))
    [charge] = world.rows(ChargeAttempt, order_id=order.id)
    made = world.stripe.control("dispute", payment_intent=charge.ref, status=status)
    world.notify(str(charge.ref), "charge.dispute.created")
    said = CliRunner().invoke(ledger.ledger, ["verify"])
    read = CliRunner().invoke(ledger.ledger, ["verify", "--json"])
    assert (said.exit_code, read.exit_code, recorded(world)) == (exit_status, exit_status, [("verify", exit_status)])
    assert f"what the customer's bank took back (dispute {made['id']}, " in said.stdout
    told = "1 not counted, as a customer's bank has not decided yet" in said.stdout
    assert (told, "Everything else agrees." in said.stdout) == (exit_status == 0, exit_status == 0)
    assert [(each["expected"], each["found"], each["waits"]) for each in json.loads(read.stdout)] == [
        ("0", "11900", exit_status == 0)
    ]


def test_a_check_that_cannot_be_recorded_says_what_it_found_all_the_same(world: World) -> None:
    with world.begin() as session:
        session.execute(text("alter table books_checks rename to elsewhere"))
    answer = CliRunner().invoke(ledger.ledger, ["verify"])
    assert (answer.exit_code, "Everything agrees." in answer.output) == (0, True)
    assert "Not recorded for the metrics" in answer.output


def test_every_check_is_explained_and_no_other() -> None:
    explained = (Path(__file__).parents[2] / "docs" / "money.md").read_text().partition("| `check` |")[2]
    assert re.findall(r"^\| `(\w+)` \|", explained, re.MULTILINE) == list(Check)


def test_a_time_that_differs_has_the_form_of_every_other_time(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", seats=10))
    world.pass_time(days=15)
    world.buy(ada, change("desk", seats=12))
    with world.begin() as session:
        session.execute(
            text("update subscription_periods set closed_at = '2026-11-17 09:00+00' where unused_minor > 0")
        )
    read = json.loads(CliRunner().invoke(ledger.ledger, ["verify", "--json"]).stdout)
    [difference] = [each for each in read if each["what"] == "the moment it was closed"]
    assert (difference["expected"], difference["found"]) == (
        "2026-11-16T09:00:00.000000+00:00",
        "2026-11-17T09:00:00.000000+00:00",
    )


def test_show_lists_every_movement_of_an_account(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", seats=10))
    world.pass_time(days=15)
    order = world.buy(ada, change("desk", seats=1))
    answer = CliRunner().invoke(ledger.ledger, ["show", str(ada.account_id), "--json"])
    (movement,) = json.loads(answer.stdout)
    assert (movement["amount_minor"], movement["balance_minor"]) == (47_60, 47_60)
    assert movement["cause"] == f"order:{order.id}:credit"
    assert "47.60" in CliRunner().invoke(ledger.ledger, ["show", str(ada.account_id)]).stdout


@pytest.mark.parametrize("of_one_account", [False, True])
def test_books_are_read_as_of_one_moment(
    world: World, monkeypatch: pytest.MonkeyPatch, *, of_one_account: bool
) -> None:
    """An order that is bought between two of its queries is not half there."""
    ada, read = world.customer(), reading._read_orders

    def meanwhile(*arguments: Any) -> Any:
        world.buy(ada, purchase("desk", seats=10))
        return read(*arguments)

    monkeypatch.setattr(reading, "_read_orders", meanwhile)
    only = ["--account", str(ada.account_id)] if of_one_account else []
    said = CliRunner().invoke(ledger.ledger, ["verify", *only])
    assert (said.exit_code, said.exception) == (0, None)
