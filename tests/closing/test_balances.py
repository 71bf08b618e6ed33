"""What accounts had at the end of a day."""

import json
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from tests.support.world import Customer, World, change, purchase
from worker.commands import ledger as command


@pytest.fixture(autouse=True)
def _plugged_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "plug_in_from_settings", lambda: None)


def run(*words: str) -> Result:
    return CliRunner().invoke(command.ledger, ["balances", *words], env={"COLUMNS": "200"})


def told(*words: str) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = json.loads(run(*words, "--json").stdout)
    return read


def moved(world: World, customer: Customer, amount: int, at: str) -> None:
    world.grant(customer, amount)
    with world.begin() as session:
        session.execute(text("set local session_replication_role = replica"))  # past the trigger that keeps movements
        when = text(
            "update ledger_movements set created_at = :at where account_id = :account and amount_minor = :amount"
        )
        session.execute(when, {"at": at, "account": customer.account_id, "amount": amount})


def test_a_balance_is_that_of_the_end_of_the_day_on_the_sellers_clock(world: World) -> None:
    world.pass_time(days=9)
    ada = world.customer(name="Ada Ltd")
    moved(world, ada, 7_00, "2026-11-03 22:59:59+00")
    moved(world, ada, 2_00, "2026-11-03 23:00:00+00")
    days = ("2026-11-02", "2026-11-03", "2026-11-04")
    assert [[each["balance_minor"] for each in told("--on", day)] for day in days] == [[], [7_00], [9_00]]
    row = {"account_id": str(ada.account_id), "account": "Ada Ltd", "currency": "EUR", "balance_minor": 9_00}
    assert told() == [row | {"granted_minor": 9_00}]


def test_a_person_reads_each_balance_and_the_total_of_each_currency(world: World) -> None:
    ada, bob, eve = (
        world.customer(name=name, currency=c) for name, c in (("Ada", "EUR"), ("Bob", "EUR"), ("Eve", "JPY"))
    )
    for customer in (ada, bob, eve):
        world.grant(customer, 1_500)
    assert [line.split() for line in run().stdout.splitlines()] == [
        ["account", "account_id", "balance", "granted"],
        ["Ada", str(ada.account_id), "15.00", "EUR", "15.00"],
        ["Bob", str(bob.account_id), "15.00", "EUR", "15.00"],
        ["Eve", str(eve.account_id), "1,500", "JPY", "1,500"],
        [],
        ["Total"],
        ["balance", "granted"],
        ["30.00", "EUR", "30.00"],
        ["1,500", "JPY", "1,500"],
    ]


def test_totals_alone_are_the_same(world: World) -> None:
    for amount, currency in ((1_500, "EUR"), (2_50, "EUR"), (1_500, "JPY")):
        moved(world, world.customer(currency=currency), amount, "2026-10-31 12:00:00+00")
    world.grant(world.customer(), 1_00)
    assert [line.split() for line in run("--totals").stdout.splitlines()] == [
        ["Total"],
        ["balance", "granted"],
        ["18.50", "EUR", "18.50"],
        ["1,500", "JPY", "1,500"],
    ]
    assert told("--totals", "--on", "2026-10-31") == [
        {"currency": "EUR", "balance_minor": 17_50, "granted_minor": 17_50},
        {"currency": "JPY", "balance_minor": 1_500, "granted_minor": 1_500},
    ]
    assert run("--totals", "--on", "2026-10-30").stdout == "No account had ever had a balance on 2026-10-30.\n"


def test_what_was_granted_is_told_when_it_is_spent_and_what_orders_brought_is_not_granted(world: World) -> None:
    ada, bob = world.customer(), world.customer()
    world.grant(ada, 119_00)
    world.buy(ada, purchase())
    world.buy(bob, purchase())
    world.pass_time(days=15)
    world.buy(bob, change("desk", seats=1))
    assert [(each["balance_minor"], each["granted_minor"]) for each in told()] == [(0, 119_00), (47_60, 0)]


def test_a_day_without_balances_and_one_that_has_not_come_say_so(world: World) -> None:
    assert run().stdout == "No account ever had a balance.\n"
    assert run("--on", "2026-10-31").stdout == "No account had ever had a balance on 2026-10-31.\n"
    refused = run("--on", "2026-11-02")
    assert (refused.exit_code, "must not be after today, 2026-11-01" in refused.output) == (2, True)
