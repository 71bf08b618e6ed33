"""What accounts had at the end of a day."""

import csv
import io
import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from models.invoices import Invoice
from models.ledger import LedgerMovement
from models.states import OrderStatus
from tasks.billing import receivables
from tasks.operating import support_refund
from tasks.policy import VatOutage
from tests.closing.equation import equation
from tests.support.payment import DECLINES, refund
from tests.support.vat_outage import ask_again, corrected_invoice, during_outage
from tests.support.world import MONTH, Customer, World, change, purchase
from worker.commands import ledger as command

pytestmark = pytest.mark.usefixtures("plugged_in")


def run(*words: str) -> Result:
    return CliRunner().invoke(command.ledger, ["balances", *words])


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


def test_a_spreadsheet_reads_what_a_program_does(world: World) -> None:
    for currency in ("EUR", "JPY", "KWD"):
        world.grant(world.customer(name="=1+1", currency=currency), 1_500)
    read, _, _ = csv.DictReader(io.StringIO(run("--csv").stdout))
    assert list(told()[0]) == [name for name in read if name in told()[0]]
    assert (read["account"], read["balance_minor"], read["balance"]) == ("'=1+1", "1500", "15.00")
    assert run("--csv", "--totals").stdout.splitlines() == [
        "currency,balance_minor,balance,granted_minor,granted",
        *("EUR,1500,15.00,1500,15.00", "JPY,1500,1500,1500,1500", "KWD,1500,1.500,1500,1.500"),
    ]
    assert run("--csv", "--json").exit_code == 2


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


def on(*days: int, month: int = 11) -> list[int]:
    """The only balance at the end of these days."""
    return [told("--on", f"2026-{month}-{day:02}")[0]["balance_minor"] for day in days]


def holds(world: World, day: date) -> bool:
    return all(invoiced == settled for _, invoiced, settled in equation(world, on=day))


def with_balance(world: World) -> Customer:
    """47.60 since 16 November: half a month of ten seats given back for a month of one."""
    ada = world.customer()
    world.buy(ada, purchase("desk", seats=10))
    world.pass_time(days=15)
    world.buy(ada, change("desk", seats=1))
    assert world.balance(ada) == 47_60
    return ada


def test_balance_is_owed_until_a_document_says_that_it_is_spent_also_of_an_order_that_ends_without_one(
    world: World,
) -> None:
    ada = with_balance(world)
    world.give_card(ada, DECLINES)
    world.time = datetime(2026, 11, 30, 20, tzinfo=UTC)
    order_id = world.place(ada, purchase("chat"))
    assert (world.run(order_id).status, world.balance(ada)) == (OrderStatus.PAYMENT_DECLINED, 0)
    assert (on(29, 30), told()[0]["balance_minor"], holds(world, date(2026, 11, 30))) == ([47_60, 47_60], 0, True)
    world.time = datetime(2026, 12, 5, 20, tzinfo=UTC)
    world.cancel(order_id)
    assert (on(30), on(5, month=12), told()[0]["balance_minor"]) == ([47_60], [47_60], 47_60)


def test_balance_is_spent_on_the_day_of_the_document_also_where_the_order_began_the_day_before(world: World) -> None:
    ada = with_balance(world)
    world.give_card(ada, "pm_card_threeDSecure2Required")
    world.time = datetime(2026, 11, 30, 22, 50, tzinfo=UTC)
    order_id = world.place(ada, purchase("chat"))
    assert world.run(order_id).status is OrderStatus.AWAITING_AUTHENTICATION
    world.pass_time(minutes=20)  # past midnight in Berlin
    world.authenticate(order_id)
    world.notify(world.charge_ref(order_id))
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert [each.issued_on for each in world.rows(Invoice, order_id=order_id)] == [date(2026, 12, 1)]
    assert (on(16, 30), on(1, month=12)) == ([47_60, 47_60], [0])
    assert holds(world, date(2026, 11, 30))
    assert holds(world, date(2026, 12, 1))


def test_what_an_order_reserved_before_it_was_quoted_anew_is_not_spent_twice(world: World) -> None:
    ada = with_balance(world)
    world.give_card(ada, DECLINES)
    order_id = world.place(ada, purchase("chat"))
    world.run(order_id)
    world.pass_time(days=1)
    world.give_card(ada)
    world.pay_again(order_id)
    assert world.run(order_id).status is OrderStatus.AWAITING_CONFIRMATION
    world.confirm(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert [row.cause.split(":", 2)[2] for row in movements(world, order_id)] == ["reserve:1", "release:1", "reserve:2"]
    assert on(16, 17) == [47_60, 0]


def movements(world: World, order_id: UUID) -> list[LedgerMovement]:
    return sorted(world.rows(LedgerMovement, order_id=order_id), key=lambda row: row.sequence)


def test_what_a_refund_gives_to_the_balance_and_takes_from_it_counts_from_the_day_of_its_credit_note(
    world: World,
) -> None:
    """The refund is asked for, and moves the balance, on 30 November; its credit note is issued a day later."""
    ada = world.customer(currency="KWD", country="KW")
    world.grant(ada, 100)
    with world.begin() as session:
        session.execute(text("set local session_replication_role = replica"))
        session.execute(text("update ledger_movements set created_at = '2026-10-31'"))
    world.reprice("desk", "team", MONTH, 10_003)
    order = world.buy(ada, purchase("desk", seats=1))
    assert (order.balance_used_minor, order.due_minor, order.to_balance_minor) == (100, 9_910, 7)
    world.time = datetime(2026, 11, 30, 12, tzinfo=UTC)
    with world.begin() as session:
        support_refund.refund(session, order.id, by="ops", why="asked", now=world.time)
    assert (world.balance(ada), on(30)) == (100, [7])
    world.pass_time(days=1)
    assert world.run(order.id).status is OrderStatus.REFUNDED
    assert (on(1, 30), on(1, month=12)) == ([7, 7], [100])
    assert holds(world, date(2026, 11, 30))
    assert holds(world, date(2026, 12, 1))


def held(*days: int) -> list[list[int]]:
    """The balances at the end of these days of November."""
    return [[each["balance_minor"] for each in told("--on", f"2026-11-{day:02}")] for day in days]


def test_vat_that_became_balance_counts_from_the_day_of_its_own_credit_note(world: World) -> None:
    during_outage(world, VatOutage.CHARGE_VAT)
    ask_again(world, minutes=24 * 60)
    assert held(1, 2) == [[], [20_00]]


def test_what_was_paid_by_transfer_and_became_balance_counts_from_the_day_of_the_refund(world: World) -> None:
    _, order = corrected_invoice(world)
    with world.begin() as session:
        receivables.mark_paid(session, "INV-2026-000002", on=world.time, by="ops")
    world.pass_time(days=1)
    refund(world, order.id)
    assert held(1, 2) == [[], [20_00]]
