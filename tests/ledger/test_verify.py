"""`verify` finds nothing in honest books, and names every dishonest one."""

from collections.abc import Iterator, Sized
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session, object_session

from models import reservation, timeline
from models.orders import Order, OrderEvent
from models.payments import ChargeAttempt
from models.rules.period import Interval
from models.rules.proration import Granularity
from models.states import FORWARD, OrderStatus, Step
from tasks import wiring
from tasks.billing import receivables, unpaid
from tasks.ledger_check import reading
from tasks.ledger_check.books import OrderBook
from tasks.ledger_check.differences import Check, Difference
from tasks.ledger_check.quotes import check_quote
from tasks.ledger_check.verify import verify
from tasks.operating import outside_refunds, support_refund
from tasks.snapshot import of_one_moment
from tests.support.books import differences
from tests.support.payment import spoil_activation
from tests.support.vat_outage import corrected_invoice, during_outage, turns_out_invalid
from tests.support.world import Customer, World, change, purchase, trial


def history(world: World) -> Customer:
    """A purchase, an upgrade, a cut that becomes balance, a purchase paid from it, and a trial."""
    ada = world.customer(timezone="Europe/Berlin")
    world.buy(ada, purchase("desk", "team", seats=10))
    world.pass_time(days=11, hours=5)
    world.buy(ada, change("desk", tier="business"), trial("chat"))
    world.pass_time(days=3)
    world.buy(ada, change("desk", seats=2))
    world.buy(ada, purchase("wiki", "basic", seats=3, interval=Interval.YEAR))
    return ada


def test_honest_books_agree(world: World) -> None:
    history(world)
    assert differences(world) == []


def test_books_agree_while_orders_are_at_work(world: World) -> None:
    ada, bob, eve = world.customer(), world.customer(card="pm_card_chargeCustomerFail"), world.customer()
    world.grant(eve, 5_00)
    order_id = world.place(ada, purchase())
    world.buy(bob, purchase())
    waiting = world.place(eve, purchase())
    for step in FORWARD:
        world.run(order_id, until=step)
        world.run(waiting, until=step)
        assert differences(world) == []
    world.run(order_id)
    assert differences(world) == []


def test_books_agree_after_a_refund(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 19_00)
    order = world.buy(ada, purchase("desk"))
    with world.begin() as session:
        support_refund.refund(session, order.id, by="support", why="asked for", now=world.time)
    assert world.run(order.id).status == "refunded"
    assert world.given_back(ada) == [100_00]
    assert world.balance(ada) == 19_00
    assert differences(world) == []


def test_books_agree_at_every_step_of_a_refund_that_brings_a_transfer_back(world: World) -> None:
    """Also when the refund has failed after the customer was told."""
    eva, order = corrected_invoice(world, card="pm_card_refundFail")
    with world.begin() as session:
        receivables.mark_paid(session, "INV-2026-000002", on=world.time, by="ops")
        support_refund.refund(session, order.id, by="support", why="asked for", now=world.time)
    world.run(order.id, until=Step.REFUND_PAYMENT)
    assert (world.balance(eva), differences(world)) == (0, [])
    world.run(order.id, until=Step.SEND_REFUND_NOTICE)
    assert (world.balance(eva), differences(world)) == (20_00, [])
    assert (world.run(order.id).status, differences(world)) == ("refunded", [])
    refund_fails(world, order.id)
    assert (world.order(order.id).status, differences(world)) == ("needs_attention", [])


def test_books_agree_where_a_refund_fails_after_its_order_has_given_balance_back(world: World) -> None:
    ada = world.customer(card="pm_card_refundFail")
    world.grant(ada, 19_00)
    order_id = world.place(ada, purchase("desk"), trial("chat"))
    spoil_activation(world, ada, order_id)
    world.run(order_id, until=Step.REFUND_PAYMENT)
    assert (world.balance(ada), differences(world)) == (0, [])
    assert world.run(order_id).status == "refunded"
    refund_fails(world, order_id)
    assert (world.order(order_id).status, world.balance(ada)) == ("needs_attention", 19_00)
    assert differences(world) == []
    outside_refunds.settle(order_id, by="support", why="sent by transfer")
    world.run(order_id, until=Step.SEND_REFUND_NOTICE)
    assert differences(world) == []
    assert (world.run(order_id).status, world.balance(ada), differences(world)) == ("refunded", 19_00, [])


def test_balance_given_back_on_the_way_back_is_named_where_no_refund_failed(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 19_00)
    order_id = world.place(ada, purchase("desk"), trial("chat"))
    spoil_activation(world, ada, order_id)
    world.run(order_id, until=Step.REFUND_PAYMENT)
    with world.begin() as session:
        order = session.get_one(Order, order_id)
        reservation.release(session, order, OrderStatus.REFUNDED, Step.SEND_REFUND_NOTICE)
    (found,) = differences(world)
    assert (found.check, found.expected, found.found) == (Check.RESERVATION, "1900", "0")


def refund_fails(world: World, order_id: UUID) -> None:
    (charge,) = world.rows(ChargeAttempt, order_id=order_id)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(charge.ref) == ["failed"])
    world.notify(charge.ref, "refund.failed")


FROZEN = "alter table {0} disable trigger user"

BROKEN = [
    ("update ledger_movements set balance_minor = balance_minor + 1 where kind = 'credited'", Check.BALANCE, "the balance after movement 1"),
    ("update ledger_movements set sequence = sequence + 7 where kind = 'credited'", Check.BALANCE, "the number of movement"),
    ("delete from ledger_movements where kind = 'reserved'", Check.RESERVATION, "the balance it holds"),
    ("delete from ledger_movements", Check.CREDIT, "what it added to the balance"),
    ("update ledger_movements set cause = replace(cause, 'credit', 'vat-credit') where kind = 'credited'", Check.CREDIT,
     "the VAT added to the balance"),
    ("update ledger_movements set cause = replace(cause, 'credit', 'transfer-credit') where kind = 'credited'", Check.RECEIVABLE,
     "what was paid by transfer and became balance"),
    ("update ledger_movements set cause = 'a whim' where kind = 'credited'", Check.MOVEMENT, "a cause that fits credited"),
    ("update ledger_movements set order_id = null where kind = 'reserved'", Check.MOVEMENT, "its order being the account's"),
    ("update charge_attempts set amount_minor = amount_minor - 1", Check.CHARGE, "what its card was charged"),
    ("update charge_attempts set status = 'declined'", Check.CHARGE, "what its card was charged"),
    ("insert into refund_attempts (order_id, attempt, charge_attempt, key, amount_minor, currency, reason, status)"
     " select order_id, 1, attempt, 'x' || key, 1, currency, 'x', 'succeeded' from charge_attempts", Check.REFUND, "what went back to its card"),
    ("insert into refund_attempts (order_id, attempt, charge_attempt, key, amount_minor, currency, reason, status)"
     " select order_id, 1, attempt, 'x' || key, 1, currency, 'x', 'succeeded' from charge_attempts", Check.REFUND, "what xorder:"),
    ("update charge_attempts set currency = 'USD'", Check.CHARGE, "the currency of"),
    ("update charge_attempts set amount_minor = amount_minor + 1; update orders set status = 'open', next_step = 'activate_subscription'"
     " where number = 1001", Check.CHARGE, "a charge of more than is due"),
    ("update orders set payment_kind = 'card' where due_minor = 0", Check.CHARGE, "how it is paid"),
    ("update orders set status = 'refunded' where due_minor > 0", Check.REFUND, "what went back to its card"),
    ("update orders set status = 'refunded' where due_minor > 0", Check.INVOICE, "what its documents leave, its money being back,"),
    ("update orders set payment_kind = 'nothing_due' where due_minor > 0", Check.CHARGE, "its sum being charged or invoiced"),
    ("update orders set payment_kind = 'invoice' where due_minor > 0", Check.CHARGE, "what its card was charged"),
    ("update orders set total_minor = total_minor + 1, net_minor = net_minor + 1, due_minor = due_minor + 1 where due_minor > 0",
     Check.ORDER, "net_minor, the sum of its lines,"),
    ("update quotes set due_minor = due_minor - 1, total_minor = total_minor - 1, net_minor = net_minor - 1 where due_minor > 0",
     Check.QUOTE, "due_minor, as quoted,"),
    ("update quotes set as_of = as_of - interval '1 day'", Check.QUOTE, "as_of, as quoted,"),
    ("update quotes set digest = 'x'", Check.QUOTE, "digest, as quoted,"),
    ("update quote_lines set seats = seats + 1", Check.QUOTE, "seats, as quoted,"),
    ("update quote_lines set period_end = period_end + interval '1 day'", Check.QUOTE, "period_end, as quoted,"),
    ("delete from quote_lines where interval is null", Check.QUOTE, "the positions of its lines, as quoted,"),
    ("update order_lines set unit_minor = unit_minor + 1 where interval is not null", Check.LINE, "its charge, price times seats,"),
    ("update order_lines set charge_tax_minor = charge_tax_minor + 1, tax_minor = tax_minor + 1, total_minor = total_minor + 1",
     Check.LINE, "the tax on its charge at 19.000 %"),
    ("update order_lines set unused_minor = unused_minor + 1, net_minor = net_minor - 1, total_minor = total_minor - 1 where unused_minor > 0",
     Check.LINE, "its credit for unused time"),
    ("update order_lines set unused_tax_minor = unused_tax_minor + 1, tax_minor = tax_minor - 1, total_minor = total_minor - 1"
     " where unused_minor > 0", Check.LINE, "the tax on its credit"),
    ("update order_lines set from_period_id = null where unused_minor > 0", Check.LINE, "its credit, there being no period to credit,"),
    ("update order_lines set share_left = share_left - 1 where share_left is not null", Check.LINE, "the share that is left"),
    ("update order_lines set period_end = period_end + interval '1 hour' where interval is not null", Check.LINE, "the end of its period"),
    ("update order_lines set from_period_end = period_start where from_charged_minor > 0", Check.LINE, "the facts of its credit"),
    ("update order_lines set from_period_end = from_period_start where from_charged_minor > 0", Check.LINE, "the facts of its credit"),
    ("update order_lines set from_charged_minor = -1 where from_charged_minor > 0", Check.LINE, "the facts of its credit"),
    ("update order_lines set from_tax_rate = 101 where from_charged_minor > 0", Check.LINE, "the facts of its credit"),
    ("update order_lines set anchor_day = 32", Check.LINE, "the facts of its period"),
    ("update orders set sold_to = jsonb_set(sold_to, array['timezone'], to_jsonb('Nowhere'::text))", Check.LINE, "the facts of its period"),
    ("update order_lines set unit_minor = -1", Check.LINE, "the facts of its charge"),
    ("update order_lines set tax_rate = 101", Check.LINE, "the facts of its charge"),
    ("delete from invoice_lines; delete from invoices where kind = 'credit_note'", Check.INVOICE, "its documents"),
    ("delete from invoice_lines; delete from invoices where sequence = 1", Check.NUMBERS, "count, first and last of its numbers"),
    ("update invoices set net_minor = net_minor + 1, total_minor = total_minor + 1, due_minor = due_minor + 1 where due_minor > 0",
     Check.INVOICE, "net_minor, the sum of its lines,"),
    ("update invoices set timezone = 'Asia/Tokyo'", Check.INVOICE, "its time zone, that of the order,"),
    ("insert into receivables (invoice_id, amount_minor, currency, due_at, status) select id, 1, currency, issued_at, 'open'"
     " from invoices where due_minor > 0", Check.RECEIVABLE, "what is owed on it"),
    ("insert into receivables (invoice_id, amount_minor, currency, due_at, status) select id, 1, currency, issued_at, 'open'"
     " from invoices where due_minor > 0; update orders set status = 'refunded' where due_minor > 0",
     Check.RECEIVABLE, "being owed though the order was refunded"),
    ("update invoice_lines set seats = seats + 1", Check.INVOICE, "seats"),
    ("update invoices set number = 'INV-1' where sequence = 1 and kind = 'invoice'", Check.INVOICE, "its number"),
    ("update invoices set year = year + 1, number = replace(number, year::text, (year + 1)::text)", Check.INVOICE, "its year"),
    ("update subscription_periods set charged_minor = charged_minor + 1 where charged_minor > 0", Check.PERIOD, "what was charged for it, net and tax,"),
    ("update subscription_periods set unused_minor = unused_minor - 1 where unused_minor > 0", Check.PERIOD, "what was credited of it, net and tax,"),
    ("update subscription_periods set unused_tax_minor = unused_tax_minor - 1 where unused_tax_minor > 0", Check.CONSERVATION,
     "tax paid, as used and running periods cost,"),
    ("update subscription_periods set closed_at = closed_at + interval '1 second' where unused_minor > 0", Check.PERIOD, "the moment it was closed"),
    ("update orders set status = 'cancelled' where number = 1004", Check.PERIOD, "order 1004, which charged it, having been active"),
    ("update orders set status = 'open', next_step = 'activate_subscription' where number = 1004", Check.PERIOD,
     "order 1004, which charged it, having been active"),
    ("update subscriptions set seats = seats + 1", Check.SUBSCRIPTION, "what its running period says"),
    ("update subscription_periods set closed_at = starts_at where closed_at is null", Check.SUBSCRIPTION, "a running period"),
    ("update subscriptions set status = 'ended' where product_code = 'desk'", Check.SUBSCRIPTION, "a period that runs, charged by order 1003,"),
    ("update order_lines set subscription_id = null where product_code = 'wiki'; delete from subscription_periods where subscription_id ="
     " (select id from subscriptions where product_code = 'wiki'); delete from subscriptions where product_code = 'wiki'",
     Check.LINE, "a period of what it bought"),
    ("delete from subscription_periods where interval is null", Check.LINE, "a period of what it bought"),
]  # fmt: skip


@pytest.fixture
def told(world: World) -> Customer:
    return history(world)


def broken(world: World, statement: str) -> list[Difference]:
    """What is found in books broken by the statement, which is undone again."""
    with world.begin() as session:
        for table in ("invoices", "invoice_lines", "ledger_movements"):
            session.execute(text(FROZEN.format(table)))
        for part in statement.split("; "):
            session.execute(text(part))
        session.expire_all()
        found = verify(session)
        session.rollback()
    return found


def test_each_broken_book_is_named(world: World, told: Customer) -> None:
    for statement, check, what in BROKEN:
        found = broken(world, statement)
        assert [d for d in found if d.check is check and d.what.startswith(what)], (statement, [str(d) for d in found])
    assert differences(world) == []


def test_a_credit_is_counted_in_the_time_zone_of_what_it_credits(world: World) -> None:
    world.policy(granularity=Granularity.DAY)
    world.time = datetime(2026, 9, 30, 23, 30, tzinfo=UTC)
    ada = world.customer(timezone="Europe/Berlin")
    world.buy(ada, purchase("desk"))
    world.change_account(ada, timezone="UTC")
    world.pass_time(days=15)
    world.buy(ada, change("desk", seats=12))
    assert differences(world) == []
    kept = "sold_to = jsonb_set(sold_to, array['credit_timezones', 'desk'], to_jsonb('Asia/Tokyo'::text))"
    line, document = "order 1002, line 0", "invoice INV-2026-000002"
    berlin, tokyo = "{'desk': 'Europe/Berlin'}", "{'desk': 'Asia/Tokyo'}"
    assert told_of(broken(world, f"update orders set {kept} where number = 1002")) == [
        (line, "the time zone of the period it credits", "Europe/Berlin", "Asia/Tokyo"),
        (document, "the time zones of its credits, those of the order,", tokyo, berlin),
    ]
    lost = told_of(broken(world, "update orders set sold_to = sold_to - 'credit_timezones' where number = 1002"))
    assert (document, "the time zones of its credits, those of the order,", "{}", berlin) in lost
    counted = "(17, 32, <Unit.DAY: 'day'>)", "(16, 31, 'day')"
    assert (line, "the share that is left", *counted) in lost


@pytest.mark.parametrize(
    ("statement", "what", "expected", "found"),
    [
        ("set paid_before_minor = 99_00", "what of the charge it says went back", "10000", "9900"),
        ("set to_balance_minor = 0", "what it says the balance got", "1900", "0"),
        ("set balance_used_minor = 1", "what it says was taken from the balance", "0", "1"),
    ],
)
def test_a_credit_note_that_says_money_went_elsewhere_is_named(
    world: World, statement: str, what: str, expected: str, found: str
) -> None:
    ada = world.customer()
    world.grant(ada, 19_00)
    order = world.buy(ada, purchase("desk"))
    with world.begin() as session:
        support_refund.refund(session, order.id, by="support", why="asked for", now=world.time)
    world.run(order.id)
    told = told_of(broken(world, f"update invoices {statement} where reason = 'refund'"))
    assert told == [("credit note CN-2026-000001", what, expected, found)]


def test_what_is_paid_and_was_not_given_is_named_with_its_order(world: World, told: Customer) -> None:
    desk = f"subscription desk of account {told.account_id}"
    [ended] = told_of(broken(world, "update subscriptions set status = 'ended' where product_code = 'desk'"))
    assert ended == (desk, "a period that runs, charged by order 1003, though it has ended", "False", "True")
    nothing = "delete from subscription_periods where order_id = (select id from orders where number = 1004)"
    assert ("order 1004, line 0", "a period of what it bought", "True", "False") in told_of(broken(world, nothing))


def test_an_entry_that_does_not_say_all_is_named_and_the_rest_is_checked(world: World, told: Customer) -> None:
    order = next(row for row in world.rows(Order) if row.number == 1002)
    with world.begin() as session:
        for kind, facts in (
            ("charge.unexpected", {"attempt": 1}),
            ("refund.elsewhere", {"attempt": 1, "amount_minor": "19.00", "refund": "re_1"}),
            ("refund.elsewhere_failed", {}),
            ("refund.elsewhere", {"attempt": 1, "amount_minor": 19_00, "refund": "re_2"}),
        ):
            timeline.note(session, order.id, kind, facts)
    first = min(row.id for row in world.rows(OrderEvent, order_id=order.id) if row.kind == "charge.unexpected")
    entry = "order 1002, timeline entry {}"
    found = broken(world, "update subscriptions set seats = seats + 1 where product_code = 'desk'")
    assert told_of(found)[:4] == [
        (entry.format(first), "what charge.unexpected does not say", "nothing", "amount_minor"),
        (entry.format(first + 1), "what refund.elsewhere does not say", "nothing", "amount_minor"),
        (
            entry.format(first + 2),
            "what refund.elsewhere_failed does not say",
            "nothing",
            "attempt, amount_minor, refund",
        ),
        ("order 1002", "what went back to its card", "0", "1900"),
    ]
    assert [d.check for d in found][4:] == [Check.SUBSCRIPTION]


def test_a_reservation_that_was_not_given_back_is_named(world: World) -> None:
    ada = world.customer(card="pm_card_chargeCustomerFail")
    world.grant(ada, 5_00)
    order = world.buy(ada, purchase())
    with world.begin() as session:
        session.execute(text("update orders set status = 'cancelled' where id = :id"), {"id": order.id})
    (found,) = differences(world)
    assert (found.check, found.expected, found.found) == (Check.RESERVATION, "0", "500")


def test_what_the_rules_refuse_is_named_with_their_reason(world: World, told: Customer) -> None:
    statement = "update order_lines set from_period_end = period_start where from_charged_minor > 0 and seats = 2"
    of_line = [d for d in broken(world, statement) if d.where == "order 1003, line 0" and d.check is Check.LINE]
    assert [d.what for d in of_line] == ["start, end and charge of the period it credits", "the facts of its credit"]
    assert str(of_line[1]) == (
        "order 1003, line 0: the facts of its credit should be such as the rules accept, is changed_at 2026-11-15T14:00:00+00:00"
        " is not in the period 2026-11-12T14:00:00+00:00 to 2026-11-15T14:00:00+00:00 (its end belongs to the next one);"
        " prorate against the period that was running then"
    )


MOVED = (
    "update subscription_periods set order_id = (select id from orders where account_id = '{bob}')"
    " where closed_at is null and interval = 'year'; update subscriptions set seats = seats + 1 where account_id = '{bob}'"
)


def test_a_period_of_another_accounts_order_is_named_and_the_rest_is_checked(world: World, told: Customer) -> None:
    bob = world.customer()
    order = world.buy(bob, purchase())
    found = told_of(broken(world, MOVED.format(bob=bob.account_id)))
    wiki = f"subscription wiki of account {told.account_id}, period from 2026-11-15 14:00:00"
    assert (wiki, "its order", "one of the account's", str(order.id)) in found
    assert f"subscription desk of account {bob.account_id}" in [where for where, *_ in found]


def test_an_order_is_what_the_quote_says_that_was_accepted_last(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase("desk"))
    world.reprice("desk", "team", Interval.MONTH, 20_00)
    assert world.run(order_id).status == "awaiting_confirmation"
    assert differences(world) == []
    world.confirm(order_id)
    assert differences(world) == []
    order = world.run(order_id)
    assert (order.status, order.due_minor, differences(world)) == ("completed", 238_00, [])
    changed = "update quotes set due_minor = due_minor - 1, total_minor = total_minor - 1, net_minor = net_minor - 1"
    assert told_of(broken(world, changed)) == [
        (f"order {order.number}", f"{name}, as quoted,", str(quoted), str(quoted + 1))
        for name, quoted in (("net_minor", 199_99), ("total_minor", 237_99), ("due_minor", 237_99))
    ]


CANCELLED = "update receivables set status = 'cancelled', settled_at = issued_at from invoices where id = invoice_id and number = '{}'"
OPEN = "update receivables set status = 'open', settled_at = null from invoices where id = invoice_id and number = '{}'"


def test_what_is_owed_stays_owed_until_it_is_paid_or_another_invoice_asks_for_it(world: World) -> None:
    """An order paid by invoice: first by the document issued with it, then by the one that replaced that."""
    world.policy(invoice_on_vat=True)
    eva, order = during_outage(world, card=None)
    first, second = "INV-2026-000001", "INV-2026-000002"
    owed = f"what is owed on it, order {order.number} being active,"
    assert told_of(broken(world, CANCELLED.format(first))) == [(f"invoice {first}", owed, "open or paid", "cancelled")]
    turns_out_invalid(world)
    assert differences(world, eva.account_id) == []
    assert told_of(broken(world, CANCELLED.format(second))) == [
        (f"invoice {second}", owed, "open or paid", "cancelled")
    ]
    replaced = f"what is owed on it, order {order.number} having {second} instead,"
    assert told_of(broken(world, OPEN.format(first))) == [(f"invoice {first}", replaced, "cancelled or paid", "open")]
    with world.begin() as session:
        receivables.mark_paid(session, second, on=world.time, by="ops")
    assert differences(world, eva.account_id) == []


def test_what_was_paid_on_a_replaced_invoice_and_is_not_after_all_is_owed_on_its_replacement(world: World) -> None:
    world.policy(invoice_on_vat=True)
    eva, _ = during_outage(world, card=None)
    first, second = "INV-2026-000001", "INV-2026-000002"
    with world.begin() as session:
        receivables.mark_paid(session, first, on=world.time, by="ops")
    turns_out_invalid(world)
    asked = (f"invoice {second}", "what is owed on it")
    assert told_of(broken(world, CANCELLED.format(first))) == [(*asked, "12000", "2000")]
    with world.begin() as session:
        unpaid.mark_unpaid(session, first, on=world.time, by="ops", why="called back")
    assert differences(world, eva.account_id) == []
    paid = CANCELLED.format(first).replace("cancelled", "paid")
    assert told_of(broken(world, paid)) == [(*asked, "2000", "12000")]


def told_of(found: list[Difference]) -> list[tuple[str, str, str, str]]:
    return [(each.where, each.what, each.expected, each.found) for each in found]


@contextmanager
def parameters(world: World) -> Iterator[list[int]]:
    """How many each statement in the block had."""
    engine, counted = world.transactions.engine, list[int]()

    def count(_: object, __: object, ___: str, given: Sized, *____: object) -> None:
        counted.append(len(given))

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield counted
    finally:
        event.remove(engine, "before_cursor_execute", count)


def test_no_statement_grows_with_the_books_of_a_batch(world: World) -> None:
    """One parameter per invoice, and the driver takes no more than 65,535."""
    ada = world.customer()
    world.buy(ada, purchase("desk"))
    with parameters(world) as of_one_order:
        assert differences(world) == []
    world.buy(ada, purchase("wiki", "basic"))
    world.pass_time(days=3)
    world.buy(ada, change("desk", seats=12))
    with parameters(world) as of_three:
        assert differences(world) == []
    assert of_three == of_one_order


def test_all_accounts_are_checked_batch_by_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH", 2)
    accounts = sorted(world.customer().account_id for _ in range(4))
    with world.begin() as session:
        assert [each.account_id for each in reading.read(session)] == accounts
        assert [each.account_id for each in reading.read(session, accounts[1])] == [accounts[1]]


def test_the_orders_of_a_large_account_are_checked_by_so_many_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory does not grow with its orders; a change is still held against the period that it credits, read long before."""
    ada, bob = world.customer(), world.customer()
    for customer in (ada, bob):
        world.buy(customer, purchase(seats=3))
    for seats in (5, 2, 4):
        world.pass_time(days=1)
        world.buy(ada, change(seats=seats))
    kept = list[int]()

    def checked(of: OrderBook) -> Iterator[Difference]:
        session = object_session(of.order)
        kept.append(sum(isinstance(each, Order) for each in session or ()))
        return check_quote(of)

    monkeypatch.setattr(reading, "ORDERS", 2)
    monkeypatch.setattr("tasks.ledger_check.verify.check_quote", checked)
    assert differences(world) == []
    assert (len(kept), max(kept) <= 3) == (5, True)
    with world.begin() as session:
        assert [len(list(each.orders)) for each in reading.read(session)] == [4, 1]
        session.execute(text(FROZEN.format("subscription_periods")))
        session.execute(text("update subscription_periods set charged_minor = charged_minor + 1 where seats = 5"))
    found = [(each.check, each.what) for each in differences(world, ada.account_id)]
    assert (Check.LINE, "start, end and charge of the period it credits") in found
    assert (Check.PERIOD, "what was charged for it, net and tax,") in found
    assert differences(world, bob.account_id) == []


def test_checks_may_take_longer_between_two_queries_than_others_may_say_nothing(world: World) -> None:
    with world.impatient(), wiring.begin() as session:
        usual = allowed_silence(session)
        session.commit()
        verify(of_one_moment(session))
        assert (usual, allowed_silence(session)) == ("8s", "10min")
        session.commit()
        assert allowed_silence(session) == "8s"


def allowed_silence(session: Session) -> str:
    return str(session.scalar(text("SHOW idle_in_transaction_session_timeout")))


def test_only_the_account_asked_for_is_checked(world: World) -> None:
    ada, bob = world.customer(), world.customer()
    world.grant(ada, 5_00)
    world.grant(bob, 5_00)
    with world.begin() as session:
        session.execute(text(FROZEN.format("ledger_movements")))
        session.execute(
            text("update ledger_movements set balance_minor = 6 where account_id = :id"), {"id": bob.account_id}
        )
    assert differences(world, ada.account_id) == []
    assert [d.check for d in differences(world, bob.account_id)] == [Check.BALANCE]
