"""What was owed at the end of a day, for how long, and by whom."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, select, text
from typer.testing import CliRunner, Result

from models.invoices import Receivable
from models.orders import OrderEvent
from tasks.billing import receivables, unpaid
from tasks.closing.open_invoices import open_invoices
from tests.invoices.documents import one, pdf, text_of
from tests.support.payment import DECLINES, refund
from tests.support.vat_outage import NUMBER, ask_again, corrected_invoice, during_outage
from tests.support.world import Customer, World, purchase
from worker.commands import invoices as command

pytestmark = pytest.mark.usefixtures("plugged_in")


@pytest.fixture(autouse=True)
def _invoice_on_vat(world: World) -> None:
    world.policy(invoice_on_vat=True)


def run(*words: str) -> Result:
    return CliRunner().invoke(command.invoices, ["open", *words])


def told(*words: str) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = json.loads(run(*words, "--json").stdout)
    return read


def invoiced(world: World, **account: Any) -> Customer:
    """Owes 119.00 from 1 November 2026 on, due on 1 December."""
    customer = world.customer(card=None, vat_number="DE136695976", **account)
    world.buy(customer, purchase())
    return customer


def test_a_program_reads_who_owes_what_since_when_and_has_what_balance(world: World) -> None:
    ada = invoiced(world, name="Ada Ltd")
    world.grant(ada, 7_00)
    world.pass_time(days=33)
    order = world.order(_only_order(world))
    assert told() == [
        {
            "number": "INV-2026-000001",
            "issued_on": "2026-11-01",
            "due_at": "2026-12-01T09:00:00.000000+00:00",
            "due_on": "2026-12-01",
            "days_overdue": 3,
            "order_number": str(order.number),
            "account_id": str(ada.account_id),
            "account": "Ada Ltd",
            "amount_minor": 119_00,
            "currency": "EUR",
            "balance_minor": 7_00,
        }
    ]


def _only_order(world: World) -> UUID:
    [row] = world.rows(Receivable)
    with world.begin() as session:
        found: UUID = session.execute(
            text("select order_id from invoices where id = :id"), {"id": row.invoice_id}
        ).scalar_one()
    return found


def test_a_person_reads_the_totals_of_each_currency_too(world: World) -> None:
    invoiced(world)
    world.pass_time(days=31)
    invoiced(world)
    invoiced(world, currency="USD")
    seen = run().stdout.splitlines()
    assert [line.split() for line in seen[-3:]] == [
        ["currency", "invoices", "owed", "of", "it", "overdue"],
        ["EUR", "2", "238.00", "119.00"],
        ["USD", "1", "119.00", "0.00"],
    ]


@pytest.mark.parametrize(
    ("now", "days"),
    [
        (datetime(2026, 12, 1, 10, tzinfo=UTC), 0),  # past the hour, not the day
        (datetime(2026, 12, 1, 22, 59, 59, tzinfo=UTC), 0),  # the last second in Berlin
        (datetime(2026, 12, 1, 23, tzinfo=UTC), 1),
    ],
)
def test_an_invoice_is_overdue_when_its_due_day_is_over(world: World, now: datetime, days: int) -> None:
    invoiced(world)
    world.time = now
    assert [each["days_overdue"] for each in told()] == [days]


def test_the_due_day_is_the_one_that_the_invoice_names(world: World) -> None:
    world.time = datetime(2026, 11, 1, 12, tzinfo=UTC)
    invoiced(world, timezone="Pacific/Auckland")
    assert [(each["due_at"][:10], each["due_on"]) for each in told()] == [("2026-12-01", "2026-12-02")]
    assert "by 2 December 2026 by bank transfer" in text_of(pdf(world, one(world, _only_order(world))))


def test_a_past_day_shows_what_was_open_when_it_ended(world: World) -> None:
    invoiced(world)
    world.pass_time(days=40)
    with world.begin() as session:
        receivables.mark_paid(session, "INV-2026-000001", on=datetime(2026, 12, 5, tzinfo=UTC), by="ops")
    days = ("2026-10-31", "2026-11-01", "2026-12-01", "2026-12-04", "2026-12-05")
    assert [[each["days_overdue"] for each in told("--on", day)] for day in days] == [[], [0], [0], [3], []]
    assert run("--on", "2026-12-05").stdout == "Nothing was owed on 2026-12-05.\n"
    assert run().stdout == "Nothing is owed.\n"


def test_a_past_day_shows_as_paid_what_counted_as_paid_when_it_ended(world: World) -> None:
    invoiced(world)
    world.pass_time(days=20)
    for paid_on, unpaid_on in ((3, 6), (6, 8), (10, 10)):
        with world.begin() as session:
            paid_at = datetime(2026, 11, paid_on, tzinfo=UTC)
            receivables.mark_paid(session, "INV-2026-000001", on=paid_at, by="ops")
            unpaid_at = datetime(2026, 11, unpaid_on, tzinfo=UTC)
            unpaid.mark_unpaid(session, "INV-2026-000001", on=unpaid_at, by="ops", why="called back")
    was_open = [day for day in range(1, 22) if told("--on", f"2026-11-{day:02}")]
    assert was_open == [1, 2, *range(8, 22)]
    with world.begin() as session:
        receivables.mark_paid(session, "INV-2026-000001", on=datetime(2026, 11, 20, tzinfo=UTC), by="ops")
    was_open = [day for day in range(1, 22) if told("--on", f"2026-11-{day:02}")]
    assert was_open == [1, 2, *range(8, 20)]


def test_a_past_day_shows_on_a_replacement_what_was_owed_on_it_when_the_day_ended(world: World) -> None:
    """The first invoice was paid on the 1st, replaced on the 3rd, and its payment withdrawn on the 5th."""
    during_outage(world, card=None)
    first, second = "INV-2026-000001", "INV-2026-000002"
    with world.begin() as session:
        receivables.mark_paid(session, first, on=world.time, by="ops")
    world.vies.register(NUMBER, status="invalid")
    ask_again(world, minutes=2 * 24 * 60)
    world.pass_time(days=2)
    with world.begin() as session:
        unpaid.mark_unpaid(session, first, on=world.time, by="ops", why="called back")
    days = [f"2026-11-0{day}" for day in range(1, 7)]
    world.pass_time(days=1)
    before = [[], [], [(second, 20_00)], [(second, 20_00)]]
    assert [owed(day) for day in days] == [*before, [(second, 120_00)], [(second, 120_00)]]
    with world.begin() as session:
        receivables.mark_paid(session, first, on=world.time, by="ops")
    assert [owed(day) for day in days] == [*before, [(second, 120_00)], [(second, 20_00)]]


def owed(day: str) -> list[tuple[str, int]]:
    return [(each["number"], each["amount_minor"]) for each in told("--on", day)]


def test_what_is_paid_as_a_day_begins_was_open_when_the_one_before_ended(world: World) -> None:
    invoiced(world)
    world.pass_time(days=40)
    midnight = datetime(2026, 12, 4, 23, tzinfo=UTC)  # in Berlin
    with world.begin() as session:
        receivables.mark_paid(session, "INV-2026-000001", on=midnight, by="ops")
    assert [len(told("--on", day)) for day in ("2026-12-04", "2026-12-05")] == [1, 0]


def test_a_payment_withdrawn_as_a_day_begins_counted_until_the_one_before_had_ended(world: World) -> None:
    """As days that are given do for a seller whose clock shows UTC."""
    invoiced(world)
    world.pass_time(days=20)
    paid_at, unpaid_at = (datetime(2026, 11, day, 23, tzinfo=UTC) for day in (3, 7))  # midnight in Berlin
    with world.begin() as session:
        receivables.mark_paid(session, "INV-2026-000001", on=paid_at, by="ops")
        unpaid.mark_unpaid(session, "INV-2026-000001", on=unpaid_at, by="ops", why="called back")
    assert [day for day in range(1, 10) if told("--on", f"2026-11-{day:02}")] == [1, 2, 3, 8, 9]


def test_the_balance_is_the_accounts_own(world: World) -> None:
    world.grant(invoiced(world), 7_00)
    world.grant(world.customer(), 3_00)
    assert [each["balance_minor"] for each in told()] == [7_00]


@pytest.mark.parametrize("on", [None, date(2099, 1, 1)])
def test_an_accounts_movements_are_read_once_however_many_invoices_it_has_open(world: World, on: date | None) -> None:
    ada = invoiced(world)
    for product in ("wiki", "chat"):
        world.buy(ada, purchase(product, "basic"))
    for _ in range(5):
        world.grant(ada, 1_00)
    read: list[tuple[str, Any]] = []

    def reads(_: object, __: object, statement: str, given: Any, *____: object) -> None:
        read.append((statement, given))

    seller = world.wiring.policy.seller
    with world.begin() as session:
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", reads)
        found = open_invoices(session, today=seller.day(world.time), on=on, seller=seller)
        [(statement, given)] = read
        session.execute(text("set local enable_seqscan = off"))
        [[[told]]] = connection.exec_driver_sql(f"explain (analyze, format json) {statement}", given)
    assert [each.balance_minor for each in found] == [5_00] * 3
    assert 0 < sum(_rows_read(told["Plan"], "ledger_movements")) <= 5


def _rows_read(plan: dict[str, Any], table: str) -> Iterator[float]:
    if plan.get("Relation Name") == table:
        yield (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    for part in plan.get("Plans", ()):
        yield from _rows_read(part, table)


def test_the_balance_is_that_of_the_day(world: World) -> None:
    ada = invoiced(world)
    world.pass_time(days=9)
    for amount, at in ((7_00, "2026-11-03 22:59:59+00"), (2_00, "2026-11-03 23:00:00+00")):
        world.grant(ada, amount)
        with world.begin() as session:
            session.execute(
                text("set local session_replication_role = replica")
            )  # past the trigger that keeps movements
            moved = text("update ledger_movements set created_at = :at where amount_minor = :amount")
            session.execute(moved, {"at": at, "amount": amount})
    days = ("2026-11-02", "2026-11-03", "2026-11-04")
    assert [told("--on", day)[0]["balance_minor"] for day in days] == [0, 7_00, 9_00]


def test_the_balance_of_a_day_has_what_an_order_under_way_had_only_reserved(world: World) -> None:
    ada = invoiced(world)
    world.grant(ada, 7_00)
    world.give_card(ada, DECLINES)
    world.run(world.place(ada, purchase("chat")))
    with world.begin() as session:
        session.execute(text("set local session_replication_role = replica"))
        session.execute(text("update ledger_movements set created_at = '2026-11-01'"))
    assert (told("--on", "2026-11-01")[0]["balance_minor"], told()[0]["balance_minor"]) == (7_00, 0)


def test_a_spreadsheet_reads_what_a_program_does(world: World) -> None:
    invoiced(world, name="=1+1")
    [read] = csv.DictReader(io.StringIO(run("--csv").stdout))
    [row] = told()
    assert list(row) == [name for name in read if name in row]
    assert (read["account"], read["amount_minor"], read["due_at"]) == ("'=1+1", "11900", row["due_at"])
    assert (read["amount"], read["balance"]) == ("119.00", "0.00")
    assert run("--csv", "--on", "2026-10-31").stdout == ",".join(read) + "\n"
    assert run("--csv", "--json").exit_code == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("yesterday", "must be a day like 2026-11-28"),
        ("2026-11-02", "must not be after today, 2026-11-01"),
        ("9999-12-31", "must not be after today, 2026-11-01"),
    ],
)
def test_what_is_no_past_day_is_refused(given: str, said: str) -> None:
    refused = run("--on", given)
    assert (refused.exit_code, said in refused.output) == (2, True)


def test_a_day_ends_by_the_sellers_clock_also_when_that_is_put_back(world: World) -> None:
    seller = world.wiring.policy.seller
    assert seller.end_of(date(2026, 10, 25)) == datetime(2026, 10, 25, 23, tzinfo=UTC)
    assert seller.end_of(date(2026, 10, 24)) == datetime(2026, 10, 24, 22, tzinfo=UTC)


def test_who_recorded_a_payment_is_kept_as_well_as_a_database_can(world: World) -> None:
    invoiced(world)
    broken = "Ada\x01\udc80\x00"  # as a shell passes bytes that are not UTF-8
    said = CliRunner().invoke(command.invoices, ["paid", "INV-2026-000001", "--by", broken])
    assert (said.exit_code, said.exception) == (0, None)
    with world.begin() as session:
        noted = session.scalars(select(OrderEvent.facts).where(OrderEvent.kind == "invoice.paid")).one()
    assert noted["by"] == "Ada ?"


def test_what_a_refund_has_cancelled_was_open_until_then(world: World) -> None:
    _, order = corrected_invoice(world)
    world.pass_time(days=2)
    refund(world, order.id)
    assert [owed(f"2026-11-0{day}") for day in (2, 3)] == [[("INV-2026-000002", 20_00)], []]
