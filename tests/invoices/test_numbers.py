"""No number twice, none left out, whatever happens at the same time; and no issued document ever changes."""

import threading
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError

from models import order_cache, row_inserts
from models.accounts import Contact
from models.invoices import Invoice, InvoiceKind, InvoiceLine, InvoiceReason, InvoiceSeries
from models.orders import Order
from models.states import Step
from tasks.billing import invoicing
from tasks.ledger_check.differences import Check
from tests.invoices.documents import attached, text_of
from tests.support import books
from tests.support.vat_outage import NUMBER, ask_again, during_outage, nothing_differs
from tests.support.world import Customer, World, change, purchase


def test_orders_activated_at_once_get_numbers_in_a_row(world: World) -> None:
    customers = [world.customer() for _ in range(6)]
    orders = [world.place(customer, purchase()) for customer in customers]
    for order_id in orders:
        world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    start = threading.Barrier(len(orders))

    def activate(order_id: UUID) -> None:
        start.wait()
        world.deliver(order_id, Step.ACTIVATE_SUBSCRIPTION)

    threads = [threading.Thread(target=activate, args=[order_id]) for order_id in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    issued = world.rows(Invoice)
    assert sorted(invoice.number for invoice in issued) == [f"INV-2026-00000{n}" for n in range(1, 7)]
    assert {invoice.order_id for invoice in issued} == set(orders)


def test_a_number_taken_in_a_transaction_that_is_rolled_back_is_the_next_ones(world: World) -> None:
    """Eight threads issue the documents of twenty orders; every third is rolled back first: 1, 2, 3 ... without a gap."""
    orders = [world.place(world.customer(), purchase()) for _ in range(20)]
    left = iter(enumerate(orders))
    lock = threading.Lock()

    def issue(order_id: UUID, *, roll_back: bool) -> None:
        with world.begin() as session:
            order = session.get_one(Order, order_id)
            assert invoicing.issue(session, order, order_cache.lines(session, order)) is not None
            if roll_back:
                raise KeyError

    def issue_all() -> None:
        while True:
            with lock:
                turn, order_id = next(left, (None, None))
            if turn is None or order_id is None:
                return
            if turn % 3 == 0:
                with pytest.raises(KeyError):
                    issue(order_id, roll_back=True)
            issue(order_id, roll_back=False)

    threads = [threading.Thread(target=issue_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(invoice.sequence for invoice in world.rows(Invoice)) == list(range(1, 21))


def test_the_number_grows_wider_after_six_digits(world: World) -> None:
    with world.begin() as session:
        session.add(InvoiceSeries(series="INV", year=2026, last_sequence=999_998))
    for _ in range(2):
        world.buy(world.customer(), purchase())
    assert sorted(invoice.number for invoice in world.rows(Invoice)) == ["INV-2026-1000000", "INV-2026-999999"]


def test_a_document_of_more_lines_than_one_statement_takes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_inserts, "MOST_ROWS", 2)
    order = world.buy(world.customer(), purchase("desk"), purchase("chat", seats=2), purchase("wiki", seats=3))
    [invoice] = world.rows(Invoice)
    lines = world.rows(InvoiceLine, invoice_id=invoice.id)
    assert sorted((line.position, line.seats) for line in lines) == [(0, 10), (1, 2), (2, 3)]
    assert sum(line.total_minor for line in lines) == invoice.total_minor == order.total_minor


def test_invoices_and_credit_notes_count_apart(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase("desk", seats=10))
    world.pass_time(days=1)
    world.buy(ada, change("desk", seats=2))
    counted = {(row.series, row.year): row.last_sequence for row in world.rows(InvoiceSeries)}
    assert counted == {("INV", 2026): 1, ("CN", 2026): 1}


MIDNIGHT = datetime(2026, 11, 30, 23, tzinfo=UTC)
"""of 1 December, on the seller's clock in Berlin"""


def issued(world: World, *moments: timedelta) -> list[tuple[int, date]]:
    """Numbers and days of invoices, of which each is issued so long after midnight."""
    world.time = MIDNIGHT - timedelta(hours=1)
    for order_id in [world.place(world.customer(), purchase()) for _ in moments]:
        world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    waiting = sorted(world.rows(Order), key=lambda order: order.number)
    for order, after in zip(waiting, moments, strict=True):
        world.time = MIDNIGHT + after
        assert world.deliver(order.id, Step.ACTIVATE_SUBSCRIPTION) == "done"
    return sorted((each.sequence, each.issued_on) for each in world.rows(Invoice))


def test_no_number_has_a_day_before_that_of_a_lower_one_though_clocks_differ_at_midnight(world: World) -> None:
    moments = (timedelta(milliseconds=-200), timedelta(milliseconds=100), timedelta(milliseconds=-100), timedelta(0))
    november, december = date(2026, 11, 30), date(2026, 12, 1)
    assert issued(world, *moments) == [(1, november), (2, december), (3, december), (4, december)]
    assert nothing_differs(world)


def test_the_letter_has_the_day_that_the_document_got(world: World) -> None:
    issued(world, timedelta(0), timedelta(milliseconds=-1))
    [late] = world.rows(Invoice, sequence=2)
    world.run(late.order_id)
    [customer] = [each for each in world.rows(Contact) if each.account_id == late.account_id]
    [(_, content)] = attached(world, Customer(late.account_id, customer.id, customer.email or ""), "is confirmed")
    assert "Date of issue 1 December 2026" in text_of(content)


def test_a_clock_that_was_days_ahead_once_dates_no_later_document_and_is_named(world: World) -> None:
    days = (timedelta(days=14), timedelta(hours=1), timedelta(hours=2))
    assert issued(world, *days) == [(1, date(2026, 12, 15)), (2, date(2026, 12, 1)), (3, date(2026, 12, 1))]
    assert [(each.check, each.where, each.expected, each.found) for each in books.differences(world)] == [
        (Check.NUMBERS, "invoice INV-2026-000002", "2026-12-15 or later", "2026-12-01")
    ]
    with world.begin() as session:
        session.execute(update(InvoiceSeries).values(unordered_until=2))
    assert nothing_differs(world)


@pytest.mark.parametrize(
    ("ahead", "both"),
    [
        ({"INV": 1}, 1),
        ({"CN": 1, "INV": 0}, 1),
        ({"CN": 2, "INV": 1}, 2),
        ({"CN": 1, "INV": 2}, 2),
        ({"CN": 2, "INV": 2}, 0),
        ({"CN": None, "INV": None}, 0),
    ],
)
def test_a_corrected_invoice_has_the_day_of_its_credit_note(
    world: World, ahead: dict[str, int | None], both: int
) -> None:
    """ahead: of today, the day of each series' last document, by clocks that were ahead."""
    _, order = during_outage(world)
    world.vies.register(NUMBER, status="invalid")
    with world.begin() as session:
        for series, days in ahead.items():
            last = None if days is None else world.time.date() + timedelta(days=days)
            session.merge(InvoiceSeries(series=series, year=2026, last_sequence=1, last_issued_on=last))
    ask_again(world)
    correction = world.rows(Invoice, order_id=order.id, reason=InvoiceReason.VAT_NUMBER_INVALID)
    day = world.time.date() + timedelta(days=both)
    assert {each.kind: each.issued_on for each in correction} == {
        InvoiceKind.CREDIT_NOTE: day,
        InvoiceKind.INVOICE: day,
    }


@pytest.mark.parametrize(
    "statement",
    [
        "update invoices set total_minor = total_minor",
        "update invoice_lines set seats = 1",
        "delete from invoice_lines",
        "delete from invoices",
        "truncate invoice_lines",
    ],
)
def test_the_database_refuses_to_change_what_was_issued(world: World, statement: str) -> None:
    world.buy(world.customer(), purchase())
    with pytest.raises(IntegrityError, match="an issued document is never changed"), world.begin() as session:
        session.execute(text(statement))


def test_a_cause_is_invoiced_once_even_past_the_code(world: World) -> None:
    world.buy(world.customer(), purchase())
    columns = "order_id, account_id, reason, kind, series, year, sign, issued_on, issued_at, supplied_at, order_number,"
    columns += " language, timezone, seller, buyer, currency, net_minor, tax_minor, total_minor, balance_used_minor,"
    columns += " paid_before_minor, due_minor, to_balance_minor, cause"
    copied = f"insert into invoices (id, sequence, number, {columns}) select gen_random_uuid(), 2, 'x', {columns} from invoices"
    with pytest.raises(IntegrityError, match="uq_invoices_cause"), world.begin() as session:
        session.execute(text(copied))
