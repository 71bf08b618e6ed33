"""A payment that was recorded on an invoice is withdrawn: what it had settled is owed again, and nothing else changes."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner, Result

from api_stub.views import timeline
from models.invoices import Receivable
from models.orders import Order, OrderEvent
from models.states import LetterKind, OrderStatus, Step
from models.withdrawn_payments import WithdrawnPayment
from tasks.billing import attachments, receivables, unpaid
from tasks.billing.lost_documents import UnknownDocument
from tasks.operating import support_refund
from tasks.policy import VatOutage
from tests.closing.equation import equation
from tests.invoices.documents import documents, one
from tests.invoices.test_receivables import invoiced, pay, replaced, still_open
from tests.support.vat_outage import (
    ask_again,
    corrected_invoice,
    during_outage,
    nothing_differs,
    turns_out_invalid,
)
from tests.support.waiting import until_it_waits_for
from tests.support.world import World, purchase
from worker.commands import invoices as command

FIRST, SECOND = "INV-2026-000001", "INV-2026-000002"


def withdraw(world: World, number: str = FIRST, *, on: datetime | None = None) -> unpaid.Withdrawal:
    with world.begin() as session:
        return unpaid.mark_unpaid(session, number, on=on or world.time, by="ops", why="another customer's transfer")


def why_not(world: World, number: str) -> str:
    with pytest.raises((unpaid.NotPaid, UnknownDocument)) as refused:
        withdraw(world, number)
    return str(refused.value)


def owed(world: World) -> list[tuple[int, str]]:
    """In the order of issue."""
    return [(row.amount_minor, row.status.value) for row in sorted(world.rows(Receivable), key=lambda r: r.created_at)]


def agrees(world: World) -> bool:
    return nothing_differs(world) and all(invoiced == settled for _, invoiced, settled in equation(world))


def test_what_a_withdrawn_payment_had_settled_is_owed_again_as_it_was_as_often_as_needed(world: World) -> None:
    _, number = invoiced(world)
    before = still_open(world)
    for _ in range(3):
        world.pass_time(days=1)
        pay(world, number)
        assert (still_open(world), agrees(world)) == ([], True)
        withdraw(world, number)
        assert (still_open(world), agrees(world)) == (before, True)
        [row] = world.rows(Receivable)
        assert (row.status, row.settled_at) == ("open", None)
    assert len(world.rows(WithdrawnPayment)) == 3


def test_an_invoice_whose_payment_is_withdrawn_is_overdue_again_once_its_day_is_over(world: World) -> None:
    _, number = invoiced(world)
    world.pass_time(days=5)
    pay(world, number)
    world.pass_time(days=30)
    withdraw(world, number)
    assert [each.days_overdue for each in still_open(world)] == [5]


def test_order_subscription_letters_and_balance_are_as_they_were(world: World) -> None:
    ada, number = invoiced(world)
    order_id = one(world, world.rows(Order)[0].id).order_id
    kept = (world.order(order_id).status, world.letters(order_id), world.balance(ada))
    events = world.timeline(order_id)
    pay(world, number)
    withdraw(world, number)
    assert (world.order(order_id).status, world.letters(order_id), world.balance(ada)) == kept
    assert kept[0] is OrderStatus.COMPLETED
    assert world.subscription(ada, "desk").status == "active"
    assert world.timeline(order_id) == [*events, "invoice.paid", "invoice.unpaid"]


def test_the_timeline_says_who_withdrew_it_when_and_why_but_not_to_the_customer(world: World) -> None:
    _, number = invoiced(world)
    pay(world, number)
    world.pass_time(days=2)
    withdraw(world, number)
    event = world.rows(OrderEvent, kind="invoice.unpaid")[0]
    assert event.facts == {
        "number": number,
        "amount_minor": 119_00,
        "paid_on": "2026-11-01",
        "unpaid_on": "2026-11-03",
        "by": "ops",
        "why": "another customer's transfer",
    }
    shown = timeline.event_view(event)
    assert (shown.text, shown.facts) == ("A payment of an invoice was withdrawn.", {"amount_minor": 119_00})


def test_only_what_is_recorded_as_paid_is_withdrawn(world: World) -> None:
    _, number = invoiced(world)
    assert why_not(world, number) == f"{number} is not recorded as paid: it is open"
    pay(world, number)
    withdraw(world, number)
    assert why_not(world, number) == f"{number} is not recorded as paid: it is open"
    assert len(world.rows(WithdrawnPayment)) == 1


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (SECOND, f"there is no invoice {SECOND} yet: {FIRST} is the last of its series"),
        ("1001", "1001 is no number of an invoice: they look like INV-2026-000001"),
    ],
)
def test_a_number_that_was_not_given_has_no_payment(world: World, number: str, told: str) -> None:
    invoiced(world)
    assert why_not(world, number) == told


def test_what_a_card_or_the_balance_paid_and_a_credit_note_have_no_transfer(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase())
    assert why_not(world, FIRST) == (
        f"{FIRST} was paid by card when it was issued, on 2026-11-01, not by transfer: the money is at the payment provider,"
        f" and `prorata orders refund {order.number}` gives it back"
    )
    with world.begin() as session:
        support_refund.refund(session, order.id, by="ops", why="asked for", now=world.time)
    world.run(order.id)
    assert why_not(world, "CN-2026-000001") == (
        "CN-2026-000001 is a credit note: nothing was owed on it, so no transfer was recorded"
    )
    world.grant(ada, 500_00)
    world.buy(ada, purchase())
    assert why_not(world, SECOND) == (
        f"nothing was left to pay on {SECOND} when it was issued, on 2026-11-01, so no transfer was recorded"
    )


@pytest.mark.parametrize("days", [-1, 1], ids=["before it was paid", "tomorrow"])
def test_a_payment_is_withdrawn_between_the_day_it_was_made_and_today(world: World, days: int) -> None:
    _, number = invoiced(world)
    world.pass_time(days=3)
    pay(world, number)
    told = (
        f"^{number} is recorded as paid on 2026-11-04: it cannot have become unpaid on .*, only from then until today$"
    )
    with pytest.raises(receivables.WrongDay, match=told):
        withdraw(world, number, on=world.time + timedelta(days=days))
    assert world.rows(WithdrawnPayment) == []
    withdraw(world, number, on=datetime(2026, 11, 4, tzinfo=UTC))  # that day, hours before the payment
    [kept] = world.rows(WithdrawnPayment)
    assert (kept.paid_at, kept.unpaid_at) == (world.time, world.time)


def test_of_two_operators_one_withdraws_a_payment(world: World) -> None:
    _, number = invoiced(world)
    pay(world, number)
    with ThreadPoolExecutor(1) as another:
        with world.begin() as session:
            unpaid.mark_unpaid(session, number, on=world.time, by="ops", why="booked wrongly")
            second = another.submit(withdraw, world, number)
            until_it_waits_for(session, second)
            assert not second.done()
        with pytest.raises(unpaid.NotPaid, match="it is open"):
            second.result()
    assert (len(world.rows(WithdrawnPayment)), owed(world)) == (1, [(119_00, "open")])


def test_a_payment_and_a_withdrawal_at_once_come_one_after_the_other(world: World) -> None:
    _, number = invoiced(world)
    with ThreadPoolExecutor(1) as another:
        with world.begin() as session:
            receivables.mark_paid(session, number, on=world.time, by="ops")
            second = another.submit(withdraw, world, number)
            until_it_waits_for(session, second)
        assert second.result().owed_minor == 119_00
        with world.begin() as session:
            session.get_one(Order, world.rows(Order)[0].id, with_for_update=True)
            third = another.submit(pay, world, number)
            until_it_waits_for(session, third)
        third.result()
    assert (owed(world), agrees(world)) == ([(119_00, "paid")], True)


@pytest.mark.parametrize(
    "statement", ["update withdrawn_payments set amount_minor = 1", "delete from withdrawn_payments", "truncate withdrawn_payments"]
)  # fmt: skip
def test_the_record_of_a_withdrawn_payment_stays(world: World, statement: str) -> None:
    _, number = invoiced(world)
    pay(world, number)
    withdraw(world, number)
    with pytest.raises(DBAPIError, match="a withdrawn payment stays on record"), world.begin() as session:
        session.execute(text(statement))


def test_a_payment_recorded_after_its_invoice_was_replaced_is_owed_on_the_replacement_again(world: World) -> None:
    order, paid_on = replaced(world)
    first, _, corrected = documents(world, order.id)
    for _ in range(2):
        pay(world, first.number, on=paid_on)
        assert owed(world) == [(100_00, "paid"), (20_00, "open")]
        told = withdraw(world, first.number)
        assert (told.amount_minor, told.owed_on, told.owed_minor) == (100_00, corrected.number, 120_00)
        assert (owed(world), agrees(world)) == ([(100_00, "cancelled"), (120_00, "open")], True)
    pay(world, corrected.number)
    assert agrees(world)


def replaced_once_paid(world: World) -> Order:
    """The replacement says that the first invoice was paid already."""
    world.policy(invoice_on_vat=True)
    _, order = during_outage(world, card=None)
    pay(world, FIRST)
    world.pass_time(days=1)
    turns_out_invalid(world)
    assert owed(world) == [(100_00, "paid"), (20_00, "open")]
    return order


def test_a_payment_that_the_replacement_counts_is_owed_on_the_replacement(world: World) -> None:
    order = replaced_once_paid(world)
    world.pass_time(days=1)
    assert withdraw(world).owed_minor == 120_00
    assert (owed(world), agrees(world)) == ([(100_00, "cancelled"), (120_00, "open")], True)
    with world.begin() as session:
        _, new = attachments.enclosed(session, world.order(order.id), LetterKind.VAT_CORRECTION)
    assert new.owed is not None
    assert new.owed.terms[0].startswith("Please pay €120.00 by")
    pay(world, FIRST)
    assert (owed(world), agrees(world)) == ([(100_00, "paid"), (20_00, "open")], True)
    withdraw(world)
    pay(world, SECOND)
    assert (owed(world), agrees(world)) == ([(100_00, "cancelled"), (120_00, "paid")], True)


def test_where_the_rest_is_paid_on_the_replacement_that_payment_is_withdrawn_first(world: World) -> None:
    replaced_once_paid(world)
    pay(world, SECOND)
    assert why_not(world, FIRST) == (
        f"{SECOND} replaced {FIRST}, and the rest that was owed on it is paid: withdraw that first, with `prorata invoices unpaid {SECOND}`;"
        f" then {SECOND} asks for all of it"
    )
    assert (owed(world), world.rows(WithdrawnPayment)) == ([(100_00, "paid"), (20_00, "paid")], [])
    withdraw(world, SECOND)
    withdraw(world, FIRST)
    assert (owed(world), agrees(world)) == ([(100_00, "cancelled"), (120_00, "open")], True)


def test_what_became_balance_when_the_order_was_refunded_is_not_owed_again(world: World) -> None:
    eva, order = corrected_invoice(world)
    pay(world, SECOND)
    with world.begin() as session:
        support_refund.refund(session, order.id, by="ops", why="asked for", now=world.time)
    world.run(order.id)
    assert why_not(world, SECOND) == (
        f"what was paid on {SECOND} became the account's balance when order {order.number} was refunded, so nothing is owed on it any more,"
        " and no command takes balance back: settle the transfer with the customer yourself"
    )
    assert (owed(world), world.balance(eva), agrees(world)) == ([(20_00, "paid")], 20_00, True)


def test_withdrawn_before_the_refund_gives_it_back_it_does_not_become_balance(world: World) -> None:
    eva, order = corrected_invoice(world)
    pay(world, SECOND)
    with world.begin() as session:
        support_refund.refund(session, order.id, by="ops", why="asked for", now=world.time)
    world.run(order.id, until=Step.REFUND_PAYMENT)
    withdraw(world, SECOND)
    assert nothing_differs(world)
    assert world.run(order.id).status is OrderStatus.REFUNDED
    assert (owed(world), world.balance(eva), agrees(world)) == ([(20_00, "cancelled")], 0, True)


def test_vat_that_became_balance_while_the_invoice_was_paid_stays_there(world: World) -> None:
    """As it is credited to who has not paid yet."""
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    with world.begin() as session:
        receivables.owe(session, one(world, order.id), 120_00)
    pay(world, FIRST)
    ask_again(world)
    withdraw(world)
    assert (world.balance(eva), owed(world)) == (20_00, [(120_00, "open")])


def run(*words: str) -> Result:
    return CliRunner().invoke(command.invoices, ["unpaid", *words])


@pytest.fixture
def paid_number(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(command, "plug_in_from_settings", lambda: None)
    _, number = invoiced(world)
    pay(world, number)
    world.pass_time(days=3)
    return number


def test_a_person_reads_what_was_withdrawn_and_what_is_owed(world: World, paid_number: str) -> None:
    done = run(paid_number.lower(), "--on", "2026-11-03", "--why", "called back")
    assert (done.exit_code, done.stdout) == (
        0,
        f"{FIRST}: 119.00 EUR paid on 2026-11-01, withdrawn on 2026-11-03. {FIRST} is open: 119.00 EUR owed.\n",
    )
    again = run(paid_number, "--why", "called back")
    assert str(again.exception) == f"{FIRST} is not recorded as paid: it is open"
    assert len(world.rows(WithdrawnPayment)) == 1


def test_what_no_database_takes_is_kept_as_well_as_it_can_be(world: World, paid_number: str) -> None:
    assert run(paid_number, "--why", "called\x00 b\udcffack", "--by", "o" * 300).exit_code == 0
    [event] = world.rows(OrderEvent, kind="invoice.unpaid")
    assert (event.facts["why"], event.facts["by"]) == ("called  b?ack", "o" * 200)


def test_a_program_reads_it_too(world: World, paid_number: str) -> None:
    told: dict[str, Any] = json.loads(run(paid_number, "--why", "called back", "--by", "olga", "--json").stdout)
    assert told == {
        "number": FIRST,
        "amount_minor": 119_00,
        "currency": "EUR",
        "paid_at": "2026-11-01T09:00:00.000000+00:00",
        "unpaid_at": world.time.isoformat(timespec="microseconds"),
        "owed_on": FIRST,
        "owed_minor": 119_00,
    }


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--on", "yesterday", "--why", "x"], 2, "must be a day like 2026-11-28"),
        (["--on", "2026-10-31", "--why", "x"], 1, "is recorded as paid on 2026-11-01"),
        (["--on", "2026-11-05", "--why", "x"], 1, "it cannot have become unpaid on 2026-11-05"),
        (["--why", " "], 2, "must not be blank"),
        ([], 2, "Missing option '--why'"),
    ],
)
def test_a_bad_day_and_no_reason_are_refused(
    world: World, paid_number: str, words: list[str], status: int, said: str
) -> None:
    refused = run(paid_number, *words)
    assert (refused.exit_code, said in (refused.output or str(refused.exception))) == (status, True)
    assert world.rows(WithdrawnPayment) == []
