"""From step to step in one process: the same promises as by message, and six tasks that Flower shows."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from celery import Task, current_app
from sqlalchemy import update

from models.invoices import Invoice, InvoiceLine, Receivable
from models.messages import SentLetter
from models.orders import Order, OrderEvent, OrderLine, OrderStep
from models.payments import ChargeAttempt
from models.rules.cart import CartLine
from models.states import BACK, FORWARD, LetterKind, LetterStatus, OrderStatus, Step
from models.subscriptions import SubscriptionPeriod
from tasks import attachments, failure_points, hand_over, posting, wiring
from tasks.pipeline import TASKS
from tasks.ports import Letter
from tests.steps.test_crashes import Died, die_once_at, places
from tests.support.world import World, purchase, trial

Events = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def events() -> Iterator[Events]:
    """What is shown, while every step stays in this process."""
    seen: Events = []
    everything_stays_here(seen)
    yield seen
    hand_over.set_up(here=lambda _: False, show=lambda *_, **__: None)
    failure_points.arm(None)


def everything_stays_here(seen: Events, *, but: frozenset[Step] = frozenset()) -> None:
    hand_over.set_up(here=lambda step: step not in but, show=lambda event, **fields: seen.append((event, fields)))


class Messages:
    """What was published to the queue that these tests' broker has."""

    def take(self) -> list[tuple[str, int]]:
        """Task and retries of each message, taken out."""
        with current_app.connection_for_read() as connection:
            queue, client = current_app.conf.task_default_queue, connection.default_channel.client
            waiting = [json.loads(each)["headers"] for each in client.lrange(queue, 0, -1)]
            client.delete(queue)
        return [(headers["task"], headers["retries"]) for headers in waiting]


@pytest.fixture
def messages() -> Messages:
    waiting = Messages()
    waiting.take()
    return waiting


def delivered(order_id: UUID, step: Step) -> str:
    """As a worker would: not called, but delivered by a message."""
    task: Task = TASKS[step]
    outcome: str = task.apply((str(order_id),), throw=True).get()
    return outcome


def told(events: Events, kind: str) -> list[str]:
    names = {fields["uuid"]: fields["name"] for event, fields in events if event == "task-received"}
    return [names[fields["uuid"]] for event, fields in events if event == kind]


def test_one_delivery_carries_an_order_all_the_way(world: World, events: Events, messages: Messages) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    assert delivered(order_id, Step.VALIDATE_CART) == "done"
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert (world.charged(ada), len(world.mails(ada))) == ([119_00], 2)
    assert messages.take() == []


def test_each_step_after_the_first_is_shown_as_a_task_of_its_own(world: World, events: Events) -> None:
    order_id = world.place(world.customer(), purchase())
    delivered(order_id, Step.VALIDATE_CART)
    names = [step.value for step in FORWARD[1:]]
    assert [told(events, kind) for kind in ("task-received", "task-started", "task-succeeded")] == [names] * 3
    assert all(fields["result"] == "'done'" for event, fields in events if event == "task-succeeded")
    assert {fields["args"] for event, fields in events if event == "task-received"} == {f"('{order_id}',)"}


def test_each_step_is_recorded_as_its_own_first_try(world: World, events: Events) -> None:
    order_id = world.place(world.customer(), purchase())
    delivered(order_id, Step.VALIDATE_CART)
    assert [kind for kind in world.timeline(order_id) if kind.endswith(".done")] == [f"{s}.done" for s in FORWARD[:-1]]
    order = world.order(order_id)
    assert (order.lease_token, order.attempts, order.restarts) == (None, 0, 0)


def test_what_does_not_stay_here_goes_by_message_and_gives_the_lease_back(
    world: World, events: Events, messages: Messages
) -> None:
    everything_stays_here(events, but=frozenset({Step.COLLECT_PAYMENT}))
    order_id = world.place(world.customer(), purchase())
    delivered(order_id, Step.VALIDATE_CART)
    assert messages.take() == [("collect_payment", 0)]
    order = world.order(order_id)
    assert (order.next_step, order.lease_token) == (Step.COLLECT_PAYMENT, None)


def test_an_order_that_stops_leads_no_further(world: World, events: Events, messages: Messages) -> None:
    order_id = world.place(world.customer(card=None), purchase())
    assert delivered(order_id, Step.VALIDATE_CART) == "done"
    assert world.order(order_id).status is OrderStatus.AWAITING_PAYMENT_DETAILS
    assert told(events, "task-succeeded") == ["compute_proration", "collect_payment"]
    assert messages.take() == []


def test_the_way_back_is_walked_in_one_delivery_too(world: World, events: Events) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    world.cancel(order_id)
    assert delivered(order_id, Step.ACTIVATE_SUBSCRIPTION) == "turned_back"
    assert delivered(order_id, Step.REFUND_PAYMENT) == "done"
    assert world.order(order_id).status is OrderStatus.REFUNDED
    assert (world.given_back(ada), told(events, "task-succeeded")) == ([119_00], [BACK[1].value])


def test_temporary_trouble_in_a_later_step_is_retried_by_a_message_of_that_step(
    world: World, events: Events, messages: Messages
) -> None:
    order_id = world.place(world.customer(), purchase())
    world.stripe.fail("unavailable", "payment_intents.create")
    assert delivered(order_id, Step.VALIDATE_CART) == "done"
    world.stripe.calm()
    assert told(events, "task-retried") == ["collect_payment"]
    assert messages.take() == [("collect_payment", 1)]
    order = world.order(order_id)
    assert (order.next_step, order.lease_token) == (Step.COLLECT_PAYMENT, None)


def test_a_step_that_fails_is_red_by_itself_and_gives_the_order_back(
    world: World, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr("tasks.invoicing.issue", broken)
    order_id = world.place(world.customer(), purchase())
    assert delivered(order_id, Step.VALIDATE_CART) == "done"
    assert told(events, "task-failed") == ["activate_subscription"]
    order = world.order(order_id)
    assert (order.next_step, order.lease_token) == (Step.ACTIVATE_SUBSCRIPTION, None)
    assert "a mistake of ours" in (order.last_error or "")


def test_a_delivery_twice_finds_each_step_done(world: World, events: Events) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    assert delivered(order_id, Step.VALIDATE_CART) == "already_done"
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert delivered(order_id, Step.VALIDATE_CART) == "not_open"
    assert (world.charged(ada), len(world.mails(ada))) == ([119_00], 2)


@pytest.mark.parametrize("place", places(FORWARD))
def test_a_worker_that_dies_on_the_way_leaves_an_order_that_goes_on(world: World, events: Events, place: str) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase("desk"), trial("chat"))
    die_once_at(place)
    with pytest.raises(Died):
        delivered(order_id, Step.VALIDATE_CART)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]
    assert len(world.rows(SubscriptionPeriod, order_id=order_id)) == 2
    assert (world.letters(order_id), len(world.mails(ada))) == (["confirmation", "seat_prompt", "trial_welcome"], 3)


@pytest.mark.parametrize("step", FORWARD[1:])
def test_a_worker_that_wakes_up_between_two_steps_finds_that_the_order_is_anothers(
    world: World, events: Events, step: Step
) -> None:
    """Stopped past its lease just before `step`, which it was about to do; another carries the order to its end."""
    ada = world.customer()
    order_id = world.place(ada, purchase())

    def stalls(place: str, _: str) -> None:
        if place == f"{step}.delivered":
            failure_points.arm(None)
            world.go_on(order_id)

    failure_points.arm(stalls)
    delivered(order_id, Step.VALIDATE_CART)
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert (world.charged(ada), len(world.mails(ada))) == ([119_00], 2)
    assert world.timeline(order_id).count("order.completed") == 1


@pytest.mark.parametrize("step", FORWARD[1:])
def test_what_postgresql_forgot_in_a_crash_is_done_again_and_nothing_built_upon_it(
    world: World, events: Events, step: Step
) -> None:
    """The end of a step is committed without waiting for the disk: just before `step`, the order stands one step earlier again."""
    ada = world.customer()
    order_id = world.place(ada, purchase())
    before = FORWARD[FORWARD.index(step) - 1]

    def forgets(place: str, _: str) -> None:
        if place == f"{step}.delivered":
            failure_points.arm(None)
            with world.begin() as session:
                session.execute(update(Order).where(Order.id == order_id).values(next_step=before))

    failure_points.arm(forgets)
    delivered(order_id, Step.VALIDATE_CART)
    assert (world.order(order_id).status, world.order(order_id).next_step) == (OrderStatus.OPEN, before)
    assert f"{step}.done" not in world.timeline(order_id)
    if before is not Step.ACTIVATE_SUBSCRIPTION:  # there all of it would be gone, not only its end
        assert world.go_on(order_id).status is OrderStatus.COMPLETED
        assert (world.charged(ada), len(world.mails(ada))) == ([119_00], 2)


CARTS = [
    pytest.param((purchase(),), {}, id="card"),
    pytest.param((purchase("desk"), trial("chat")), {}, id="two lines"),
    pytest.param((trial(),), {"card": None}, id="trial"),
    pytest.param((purchase(),), {"card": None, "country": "FR", "vat_number": "FR40303265045"}, id="invoice"),
]


@pytest.mark.parametrize(("cart", "account"), CARTS)
def test_what_stands_in_the_tables_is_what_six_messages_would_have_written(
    world: World, events: Events, cart: tuple[CartLine, ...], account: dict[str, Any]
) -> None:
    world.policy(invoice_on_vat=True)
    by_message, in_one = (world.place(world.customer(**account), *cart) for _ in range(2))
    assert world.run(by_message).status is OrderStatus.COMPLETED
    delivered(in_one, Step.VALIDATE_CART)
    assert everything(world, in_one) == everything(world, by_message)


OF_ORDER = (OrderLine, OrderStep, OrderEvent, ChargeAttempt, SubscriptionPeriod, Invoice, SentLetter)
OF_INVOICE = (InvoiceLine, Receivable)
APART = ("id", "at", "number", "key", "cause", "ref", "buyer", "sequence", "digest")
"""how columns end whose values tell two orders apart"""


def everything(world: World, order_id: UUID) -> dict[str, list[dict[str, Any]]]:
    """Each row that belongs to the order."""
    found = {table.__name__: world.rows(table, order_id=order_id) for table in OF_ORDER}
    for invoice in found["Invoice"]:
        found |= {table.__name__: world.rows(table, invoice_id=invoice.id) for table in OF_INVOICE}
    found["Order"] = [world.order(order_id)]
    return {name: [plain(row) for row in rows] for name, rows in found.items()}


def plain(row: Any) -> dict[str, Any]:
    values = {column.key: getattr(row, column.key) for column in row.__mapper__.column_attrs}
    values |= {f"facts.{name}": value for name, value in values.pop("facts", {}).items()}
    return {name: value for name, value in values.items() if not name.endswith(APART)}


def test_the_invoice_that_goes_with_the_letter_is_the_one_in_the_tables(world: World, events: Events) -> None:
    """It is drawn from what was in hand, not read again."""
    ada = world.customer()
    order_id = world.place(ada, purchase())
    sent: list[Letter] = []
    wiring.plug_in(replace(world.wiring, mailer=Remembers(sent)))
    delivered(order_id, Step.VALIDATE_CART)
    wiring.plug_in(world.wiring)
    with world.begin() as session:
        from_the_tables = attachments.of(session, world.order(order_id), LetterKind.CONFIRMATION)
    assert [letter.attachments for letter in sent] == [from_the_tables, ()]
    assert from_the_tables[0].content.startswith(b"%PDF")


@dataclass
class Remembers:
    """A mailer that hands nothing over."""

    sent: list[Letter]

    def send(self, letter: Letter) -> None:
        self.sent.append(letter)


@pytest.mark.parametrize("step", FORWARD[1:4])
def test_a_cancellation_that_was_accepted_between_two_steps_is_heeded(
    world: World, events: Events, messages: Messages, step: Step
) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())

    def cancels(place: str, _: str) -> None:
        if place == f"{step}.delivered":
            failure_points.arm(None)
            assert world.cancel(order_id) is OrderStatus.OPEN

    failure_points.arm(cancels)
    delivered(order_id, Step.VALIDATE_CART)
    ended = world.run(order_id).status
    assert ended is (OrderStatus.REFUNDED if step is Step.ACTIVATE_SUBSCRIPTION else OrderStatus.CANCELLED)
    assert sum(world.charged(ada)) == sum(world.given_back(ada))


def test_a_card_given_while_the_order_is_under_way_is_charged_as_the_customer_it_belongs_to(
    world: World, events: Events
) -> None:
    """The provider's customer is made with the first card: after the order's account was read."""
    world.policy(invoice_on_vat=True)
    ada = world.customer(card=None, country="FR", vat_number="FR40303265045")
    order_id = world.place(ada, purchase())

    def gives_a_card(place: str, _: str) -> None:
        if place == "collect_payment.claimed":
            failure_points.arm(None)
            world.give_card(ada)

    failure_points.arm(gives_a_card)
    delivered(order_id, Step.VALIDATE_CART)
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [world.order(order_id).due_minor]


def test_a_letter_that_another_has_sent_stays_sent(world: World, events: Events) -> None:
    """A stale worker's no of the mail server, come late, changes nothing."""
    order_id = world.place(world.customer(), purchase())
    delivered(order_id, Step.VALIDATE_CART)
    posting._end(world.order(order_id), LetterKind.CONFIRMATION, LetterStatus.UNDELIVERABLE)
    assert {row.status for row in world.rows(SentLetter, order_id=order_id)} == {LetterStatus.SENT}
    assert world.timeline(order_id).count("letter.sent") == 2
    assert "letter.undeliverable" not in world.timeline(order_id)
