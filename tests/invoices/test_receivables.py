"""What is owed by transfer, and that it came in."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from typer.testing import CliRunner

from models.invoices import Invoice, Receivable, ReceivableStatus
from models.orders import Order
from tasks.billing import receivables
from tasks.closing.open_invoices import OpenInvoice, open_invoices
from tasks.operating import support_refund
from tests.invoices.documents import documents, one
from tests.support.vat_outage import NUMBER, ask_again, during_outage, nothing_differs
from tests.support.world import Customer, World, change, purchase
from worker.commands import invoices as command


def invoiced(world: World) -> tuple[Customer, str]:
    world.policy(invoice_on_vat=True)
    ada = world.customer(card=None, vat_number="DE136695976")
    return ada, one(world, world.buy(ada, purchase()).id).number


def pay(world: World, number: str, *, on: datetime | None = None) -> None:
    with world.begin() as session:
        receivables.mark_paid(session, number, on=on or world.time, by="ops")


def still_open(world: World) -> list[OpenInvoice]:
    seller = world.wiring.policy.seller
    with world.begin() as session:
        return open_invoices(session, today=seller.day(world.time), seller=seller)


def test_what_is_owed_is_listed_until_it_is_paid(world: World) -> None:
    _, number = invoiced(world)
    [owed] = still_open(world)
    assert (owed.number, owed.amount_minor, owed.currency) == (number, 119_00, "EUR")
    pay(world, number)
    assert still_open(world) == []
    [row] = world.rows(Receivable)
    assert (row.status, row.settled_at) == (ReceivableStatus.PAID, world.time)


def test_a_change_of_what_is_not_paid_yet_credits_the_balance_and_leaves_all_of_the_invoice_owed(world: World) -> None:
    ada, number = invoiced(world)
    world.pass_time(days=15)
    world.buy(ada, change(seats=1))
    assert [(owed.number, owed.amount_minor) for owed in still_open(world)] == [(number, 119_00)]
    assert world.balance(ada) == 59_50 - 11_90
    assert nothing_differs(world)


def test_a_program_reads_what_was_paid(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "plug_in_from_settings", lambda: None)
    _, number = invoiced(world)
    told = json.loads(CliRunner().invoke(command.invoices, ["paid", number, "--json"]).stdout)
    paid_at = world.time.isoformat(timespec="microseconds")
    assert told == {"number": number, "amount_minor": 119_00, "currency": "EUR", "paid_at": paid_at}


def test_an_invoice_is_paid_once(world: World) -> None:
    _, number = invoiced(world)
    pay(world, number)
    with pytest.raises(receivables.NothingOwed, match=f"nothing is owed on {number} any more: it is paid"):
        pay(world, number)


def test_an_invoice_that_a_card_paid_owes_nothing(world: World) -> None:
    order = world.buy(world.customer(), purchase())
    invoice = one(world, order.id)
    told = f"^nothing is owed on {invoice.number}: it was paid by card when it was issued, on {invoice.issued_on}$"
    with pytest.raises(receivables.NothingOwed, match=told):
        pay(world, invoice.number)


def test_an_invoice_that_the_balance_paid_and_a_credit_note_owe_nothing(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 500_00)
    paid = one(world, world.buy(ada, purchase()).id)
    with pytest.raises(receivables.NothingOwed, match=f"on {paid.number}: nothing was left to pay when it was issued"):
        pay(world, paid.number)
    order = world.buy(world.customer(), purchase())
    with world.begin() as session:
        support_refund.refund(session, order.id, by="ops", why="asked for", now=world.time)
    world.run(order.id)
    with pytest.raises(receivables.NothingOwed, match="nothing is owed on CN-2026-000001: it is a credit note"):
        pay(world, "CN-2026-000001")


@pytest.mark.parametrize("days", [-1, 1], ids=["before it was issued", "tomorrow"])
def test_an_invoice_was_paid_between_its_issue_and_today(world: World, days: int) -> None:
    _, number = invoiced(world)
    with pytest.raises(receivables.WrongDay, match="only from then until today"), world.begin() as session:
        receivables.mark_paid(session, number, on=world.time + timedelta(days=days), by="ops")
    pay(world, number)


def replaced(world: World) -> tuple[Order, datetime]:
    """An invoice that was replaced by one with VAT, because its VAT number turned out invalid; and the day on which it was paid."""
    world.policy(invoice_on_vat=True)
    _, order = during_outage(world, card=None)
    paid_on = world.time
    world.vies.register(NUMBER, status="invalid")
    ask_again(world, minutes=2 * 24 * 60)
    return order, paid_on


def test_money_that_came_before_an_invoice_was_replaced_is_recorded_afterwards(world: World) -> None:
    order, paid_on = replaced(world)
    first, _, corrected = documents(world, order.id)
    pay(world, first.number, on=paid_on)
    owed = {row.invoice_id: (row.amount_minor, row.status.value) for row in world.rows(Receivable)}
    assert owed == {first.id: (100_00, "paid"), corrected.id: (20_00, "open")}
    assert nothing_differs(world)
    with pytest.raises(receivables.NothingOwed, match="any more: it is paid"):
        pay(world, first.number, on=paid_on)
    pay(world, corrected.number)
    assert nothing_differs(world)
    assert still_open(world) == []
    with world.begin() as session:
        assert receivables.paid_by_transfer(session, order.id) == 120_00


def test_once_the_replacement_is_paid_nothing_is_owed_on_what_it_replaced(world: World) -> None:
    order, paid_on = replaced(world)
    first, _, corrected = documents(world, order.id)
    pay(world, corrected.number)
    with pytest.raises(receivables.NothingOwed, match=f"{corrected.number} replaced it"):
        pay(world, first.number, on=paid_on)
    assert nothing_differs(world)


def test_what_replaces_an_invoice_is_found_by_an_index(world: World) -> None:
    world.buy(world.customer(), purchase())
    [invoice] = world.rows(Invoice)
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    with world.begin() as session:
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", note)
        assert receivables.replacement(session, invoice) is None
        event.remove(connection, "before_cursor_execute", note)
        [(asked, known)] = sent
        session.execute(text("set local enable_seqscan = off"))
        plan = connection.exec_driver_sql(f"explain {asked}", known).scalars().all()
    assert "ix_invoices_corrects_id" in "\n".join(plan)
