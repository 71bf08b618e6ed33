"""A database restored from a backup has forgotten what happened since: what the provider was paid meanwhile is found, not charged again."""

import re
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from models.invoices import Invoice
from models.rules.cart import CartLine
from models.states import OrderStatus, Step
from models.subscriptions import Subscription
from tasks.operating import support_refund
from tests.invoices.documents import documents, summed_up
from tests.support.backup import BackUp
from tests.support.disputes import dispute, named, noted
from tests.support.payment import ASKS_BANK, DECLINES, refund_by_hand, unanswered
from tests.support.restored import about_to_buy
from tests.support.vat_outage import NUMBER, ask_again, during_outage
from tests.support.world import Customer, World, change, purchase

RESTORING = (Path(__file__).parents[2] / "docs" / "restoring.md").read_text()


def has_used_a_plan(world: World) -> Customer:
    """For five days, so that a change costs more each day."""
    ada = world.customer()
    world.buy(ada, purchase("desk"))
    world.pass_time(days=5)
    return ada


def refund_by_support(world: World, order_id: UUID) -> None:
    with world.begin() as session:
        support_refund.refund(session, order_id, by="Olga", why="ticket 4711", now=world.time)
    assert world.run(order_id).status is OrderStatus.REFUNDED


def refund_in_the_dashboard(world: World, order_id: UUID) -> None:
    for part in (19_00, 100_00):
        refund_by_hand(world, order_id, part)


@pytest.mark.parametrize("hours", [1, 23.5], ids=["its key is known", "its key is forgotten"])
def test_a_charge_that_the_backup_does_not_know_is_found(world: World, backed_up: BackUp, hours: float) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    assert world.run(order_id).status is OrderStatus.COMPLETED
    restore()
    world.pass_time(hours=hours)
    if hours > 23:
        world.stripe.expire_keys()
    assert world.attempts(order_id) == []
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.attempts(order_id) == [(1, "succeeded", 119_00)]
    assert world.charged(ada) == [119_00]


@pytest.mark.parametrize("hours", [1, 23.5], ids=["its key is known", "its key is forgotten"])
@pytest.mark.parametrize("refunded", [refund_by_support, refund_in_the_dashboard])
def test_a_charge_whose_money_went_back_since_the_backup_activates_nothing(
    world: World, backed_up: BackUp, hours: float, refunded: Callable[[World, UUID], None]
) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    world.run(order_id)
    refunded(world, order_id)
    went_back = sorted(world.given_back(ada))
    restore()
    world.pass_time(hours=hours)
    if hours > 23:
        world.stripe.expire_keys()
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.REFUNDED, "refunded-before")
    assert world.attempts(order_id) == [(1, "succeeded", 119_00)]
    assert world.refunds(order_id) == [("succeeded", 119_00)]
    assert (world.charged(ada), sorted(world.given_back(ada))) == ([119_00], went_back)
    assert world.rows(Subscription, account_id=ada.account_id) == []
    assert world.rows(Invoice, order_id=order_id) == []


@pytest.mark.parametrize("hours", [1, 23.5], ids=["its key is known", "its key is forgotten"])
def test_a_charge_that_its_bank_took_back_since_the_backup_is_found_with_its_dispute(
    world: World, backed_up: BackUp, hours: float
) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    world.run(order_id)
    [charge] = world.books(ada)["payment_intents"]
    dispute(world, charge["id"], "lost")
    world.notify(charge["id"], "charge.dispute.closed")
    restore()
    world.pass_time(hours=hours)
    if hours > 23:
        world.stripe.expire_keys()
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "succeeded", 119_00)], [119_00])
    assert noted(world, order_id) == [("dispute.closed", "lost", 119_00)]
    assert named(world) == [("what the customer's bank took back (dispute du_1, lost)", "0", "11900")]


def test_a_charge_of_which_a_part_went_back_since_the_backup_is_found(world: World, backed_up: BackUp) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    restore = backed_up()
    world.run(order_id)
    refund_by_hand(world, order_id, 118_99)
    restore()
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [118_99])


@pytest.mark.parametrize("hours", [1, 28.8], ids=["within a day", "after a day"])
@pytest.mark.parametrize(
    ("line", "paid_since"), [(purchase("chat"), 119_00), (change(seats=40), 376_84)], ids=["purchase", "change"]
)
def test_an_order_declined_in_the_backup_and_paid_since_finds_the_charge_whatever_card_comes_next(
    world: World, backed_up: BackUp, line: CartLine, paid_since: int, hours: float
) -> None:
    ada = has_used_a_plan(world)
    world.give_card(ada, DECLINES)
    order_id = world.place(ada, line)
    world.placed_now(order_id)
    world.run(order_id)
    restore = backed_up()
    world.give_card(ada)
    world.pay_again(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    restore()
    assert world.order(order_id).status is OrderStatus.PAYMENT_DECLINED
    world.pass_time(hours=hours)
    if hours > 24:
        world.stripe.expire_keys()
    world.give_card(ada, "pm_card_mastercard")
    world.pay_again(order_id)
    if world.go_on(order_id).status is OrderStatus.AWAITING_CONFIRMATION:
        world.confirm(order_id)
    order = world.go_on(order_id)
    assert order.status is OrderStatus.COMPLETED
    again = [order.due_minor] if order.due_minor != paid_since else []
    assert (world.charged(ada), world.given_back(ada)) == ([119_00, paid_since, *again], [paid_since] if again else [])


@pytest.mark.parametrize(
    ("line", "paid_since"), [(purchase("chat"), 119_00), (change(seats=40), 382_79)], ids=["purchase", "change"]
)
def test_an_order_that_asked_in_the_backup_and_was_confirmed_since_is_charged_what_is_confirmed_last(
    world: World, backed_up: BackUp, line: CartLine, paid_since: int
) -> None:
    ada = has_used_a_plan(world)
    order_id = world.place(ada, line)
    world.placed_now(order_id)
    world.pass_time(days=1.5)
    assert world.run(order_id).status is OrderStatus.AWAITING_CONFIRMATION
    restore = backed_up()
    world.confirm(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    restore()
    world.pass_time(hours=1)
    world.confirm(order_id, world.quote(ada, line).id)
    order = world.go_on(order_id)
    assert order.status is OrderStatus.COMPLETED
    again = [order.due_minor] if order.due_minor != paid_since else []
    assert (world.charged(ada), world.given_back(ada)) == ([119_00, paid_since, *again], [paid_since] if again else [])


@pytest.mark.parametrize("charged_since", [False, True], ids=["cancelled before its charge", "charged and given back"])
def test_an_order_cancelled_since_the_backup_and_again_before_anything_runs_is_not_charged(
    world: World, backed_up: BackUp, charged_since: bool
) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    restore = backed_up()
    if charged_since:
        world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    world.cancel(order_id)
    world.run(order_id)
    money = world.charged(ada), world.given_back(ada)
    restore()
    world.cancel(order_id)
    assert world.run(order_id).status is OrderStatus.CANCELLED
    assert (world.charged(ada), world.given_back(ada)) == money == (([119_00], [119_00]) if charged_since else ([], []))


@pytest.mark.parametrize("in_the_backup", ["pending", "requires_action"])
def test_an_order_cancelled_again_whose_attempt_the_backup_knows_gives_its_charge_back(
    world: World, backed_up: BackUp, in_the_backup: str
) -> None:
    asks = in_the_backup == "requires_action"
    ada = world.customer(card=ASKS_BANK) if asks else world.customer()
    order_id = world.run(world.place(ada, purchase())).id if asks else unanswered(world, ada)
    restore = backed_up()
    if asks:
        world.authenticate(order_id)
        world.notify(world.charge_ref(order_id))
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    restore()
    assert world.attempts(order_id) == [(1, in_the_backup, 119_00)]
    world.cancel(order_id)
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [119_00])


@pytest.mark.parametrize(
    ("line", "charged", "given_back"),
    [(purchase("chat"), [119_00], []), (change(seats=40), [376_84, 388_74], [376_84])],
    ids=["for the same amount", "for another amount"],
)
def test_after_days_the_customer_is_asked_and_not_charged_again(
    world: World, backed_up: BackUp, line: CartLine, charged: list[int], given_back: list[int]
) -> None:
    ada = has_used_a_plan(world)
    order_id = world.place(ada, line)
    world.placed_now(order_id)
    restore = backed_up()
    world.run(order_id)
    restore()
    world.stripe.expire_keys()
    world.pass_time(days=3)
    assert world.run(order_id).status is OrderStatus.AWAITING_CONFIRMATION
    world.confirm(order_id)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert (world.charged(ada), world.given_back(ada)) == ([119_00, *charged], given_back)
    assert world.order(order_id).due_minor == charged[-1]


def test_an_old_order_that_was_never_charged_is_charged_once_it_can_be(world: World) -> None:
    """Looking first finds nothing, and a request without an answer is asked for again under its key."""
    ada = world.customer(card=DECLINES)
    order_id = world.place(ada, purchase())
    world.placed_now(order_id)
    world.run(order_id)
    world.pass_time(days=2)
    world.stripe.expire_keys()
    world.give_card(ada)
    world.pay_again(order_id)
    world.run(order_id)
    world.confirm(order_id)
    world.stripe.fail("answer_lost", "payment_intents.create")
    world.run(order_id)
    world.stripe.calm()
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


@pytest.mark.parametrize("issued_before", [0, 1], ids=["no row of the year", "a row of the year"])
def test_what_the_document_says_to_run_sets_the_number_of_the_next_invoice(world: World, issued_before: int) -> None:
    for _ in range(issued_before):
        world.buy(world.customer(), purchase())
    [told] = re.findall(r"```sql\n(\s*insert into invoice_series .*?)```", RESTORING, re.DOTALL)
    with world.begin() as session:
        session.execute(text(told))
    [invoice] = world.rows(Invoice, order_id=world.buy(world.customer(), purchase()).id)
    assert invoice.number == "INV-2026-001235"


def test_vat_that_was_corrected_since_is_listed_by_what_the_document_says_and_corrected_again(
    world: World, backed_up: BackUp
) -> None:
    eva, order = during_outage(world)
    world.vies.register(NUMBER, status="invalid")
    restore = backed_up()
    ask_again(world)
    before = len(world.mails(eva))
    restore()
    [listed] = re.findall(r"```sql\n(\s*select orders\.number, .*?)```", RESTORING, re.DOTALL)
    with world.begin() as session:
        assert session.execute(text(listed)).all() == [(order.number, NUMBER, "provisional")]
        for series in ("INV", "CN"):
            session.execute(
                text(
                    "insert into invoice_series (series, year, last_sequence) values (:series, 2026, 100)"
                    " on conflict (series, year) do update set last_sequence = excluded.last_sequence"
                ),
                {"series": series},
            )
    ask_again(world)
    assert [summed_up(each) for each in documents(world, order.id)[1:]] == [
        ("CN-2026-000101", -100_00, 0, -100_00),
        ("INV-2026-000101", 100_00, 20_00, 120_00),
    ]
    assert len(world.mails(eva)) == before + 1
    with world.begin() as session:
        assert session.execute(text(listed)).all() == []
