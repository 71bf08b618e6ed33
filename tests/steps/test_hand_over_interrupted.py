"""Whatever happens between two steps in one process: the same promises as by message.

Steps that share a transaction leave no room between them; where something is to happen there, they do not.
"""

import threading
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from uuid import UUID

import pytest
from celery import Task
from sqlalchemy import create_engine, event, select, text, update
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.orm import Session

from models.accounts import Account
from models.messages import SentLetter
from models.orders import Order
from models.states import FORWARD, LetterKind, LetterStatus, OrderStatus, Step
from models.subscriptions import SubscriptionPeriod
from tasks import slots, wiring
from tasks.mail import marking
from tests.steps.test_crashes import places
from tests.support.in_one_process import Events, Messages, delivered, everything_stays_here, just_before, told
from tests.support.places import at, dying_at
from tests.support.world import World, purchase, trial
from worker.database import Transactions


@pytest.mark.parametrize("carries", [True, False])
@pytest.mark.parametrize("place", places(FORWARD))
def test_a_worker_that_dies_on_the_way_leaves_an_order_that_goes_on(world: World, events: Events, place: str) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase("desk"), trial("chat"))
    with dying_at(place):
        delivered(order_id, Step.VALIDATE_CART)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]
    assert len(world.rows(SubscriptionPeriod, order_id=order_id)) == 2
    assert (world.letters(order_id), len(world.mails(ada))) == (["confirmation", "seat_prompt", "trial_welcome"], 3)


@pytest.mark.parametrize("carries", [False])
@pytest.mark.parametrize("step", FORWARD[1:])
def test_a_worker_that_wakes_up_between_two_steps_finds_that_the_order_is_anothers(
    world: World, events: Events, step: Step
) -> None:
    """Stopped past its lease just before `step`, which it was about to do; another carries the order to its end."""
    ada = world.customer()
    order_id = world.place(ada, purchase())
    with just_before(step, lambda: world.go_on(order_id)):
        delivered(order_id, Step.VALIDATE_CART)
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert (world.charged(ada), len(world.mails(ada))) == ([119_00], 2)
    assert world.timeline(order_id).count("order.completed") == 1


@pytest.mark.parametrize("carries", [False])
@pytest.mark.parametrize("step", FORWARD[1:])
def test_what_postgresql_forgot_in_a_crash_is_done_again_and_nothing_built_upon_it(
    world: World, events: Events, step: Step
) -> None:
    """A standby that takes over may lack the end of the step: just before `step`, the order stands one step earlier again."""
    ada = world.customer()
    order_id = world.place(ada, purchase())
    before = FORWARD[FORWARD.index(step) - 1]

    def forget() -> None:
        with world.begin() as session:
            session.execute(update(Order).where(Order.id == order_id).values(next_step=before))

    with just_before(step, forget):
        delivered(order_id, Step.VALIDATE_CART)
    assert (world.order(order_id).status, world.order(order_id).next_step) == (OrderStatus.OPEN, before)
    assert f"{step}.done" not in world.timeline(order_id)
    if before is not Step.ACTIVATE_SUBSCRIPTION:  # there all of it would be gone, not only its end
        assert world.go_on(order_id).status is OrderStatus.COMPLETED
        assert (world.charged(ada), len(world.mails(ada))) == ([119_00], 2)


@pytest.mark.parametrize("carries", [False])
@pytest.mark.parametrize("step", FORWARD[1:4])
def test_a_cancellation_that_was_accepted_between_two_steps_is_heeded(
    world: World, events: Events, messages: Messages, step: Step
) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    found: list[OrderStatus] = []
    with just_before(step, lambda: found.append(world.cancel(order_id))):
        delivered(order_id, Step.VALIDATE_CART)
    assert found == [OrderStatus.OPEN]
    ended = world.run(order_id).status
    assert ended is (OrderStatus.REFUNDED if step is Step.ACTIVATE_SUBSCRIPTION else OrderStatus.CANCELLED)
    assert sum(world.charged(ada)) == sum(world.given_back(ada))


@pytest.mark.parametrize("carries", [False])
def test_a_card_given_while_the_order_is_under_way_is_charged_as_the_customer_it_belongs_to(
    world: World, events: Events
) -> None:
    """The provider's customer is made with the first card: after the order's account was read."""
    world.policy(invoice_on_vat=True)
    ada = world.customer(card=None, country="FR", vat_number="FR40303265045")
    order_id = world.place(ada, purchase())
    with at("collect_payment.claimed", lambda: world.give_card(ada)):
        delivered(order_id, Step.VALIDATE_CART)
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [world.order(order_id).due_minor]


def test_a_letter_that_another_has_sent_stays_sent(world: World, events: Events) -> None:
    """A stale worker's no of the mail server, come late, changes nothing."""
    order_id = world.place(world.customer(), purchase())
    delivered(order_id, Step.VALIDATE_CART)
    marking.mark(world.order(order_id), LetterKind.CONFIRMATION, LetterStatus.UNDELIVERABLE)
    assert {row.status for row in world.rows(SentLetter, order_id=order_id)} == {LetterStatus.SENT}
    assert world.timeline(order_id).count("letter.sent") == 2
    assert "letter.undeliverable" not in world.timeline(order_id)


def test_a_letter_is_marked_as_sent_before_its_step_waits_for_a_slot(
    world: World, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many may be waiting, and a worker that is killed meanwhile would have sent all their letters for nothing."""
    order_id = world.place(world.customer(), purchase())
    seen: list[dict[LetterKind, LetterStatus]] = []

    class Watched(slots.Slots):
        def take(self, *, back: bool = False) -> None:
            if back:
                seen.append({row.kind: row.status for row in world.rows(SentLetter, order_id=order_id)})
            super().take(back=back)

    monkeypatch.setattr(slots, "_slots", Watched(slots.AT_ONCE))
    delivered(order_id, Step.VALIDATE_CART)
    confirmed = {LetterKind.CONFIRMATION: LetterStatus.SENT}
    assert seen == [{}, confirmed, confirmed | {LetterKind.SEAT_PROMPT: LetterStatus.SENT}]


def test_who_publishes_lets_others_work_meanwhile(
    world: World, events: Events, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that hangs takes half a minute to say so: to this retry, and to who hands an order over by message."""
    had_a_slot: list[bool] = []
    publish = Task.apply_async

    def watched(task: Task, *positional: object, **named: object) -> object:
        had_a_slot.append(slots._this_thread.held)
        return publish(task, *positional, **named)

    monkeypatch.setattr(Task, "apply_async", watched)
    ada = world.customer()
    order_id = world.place(ada, purchase())
    with world.impatient(), world.begin() as another:
        another.execute(select(Account.id).where(Account.id == ada.account_id).with_for_update(key_share=True))
        delivered(order_id, Step.VALIDATE_CART)
    everything_stays_here(events, but=frozenset({Step.COMPUTE_PRORATION}))
    delivered(world.place(world.customer(), purchase()), Step.VALIDATE_CART)
    assert [task for task, _ in messages.take()] == ["compute_proration", "activate_subscription"]
    assert had_a_slot == [False, False]


@pytest.mark.parametrize("carries", [False])
def test_a_step_that_gets_no_connection_is_tried_again_by_message(
    world: World, events: Events, messages: Messages
) -> None:
    """All connections of this process are in use, and stay so for longer than anybody waits."""
    one = create_engine(world.transactions.engine.url, pool_size=1, max_overflow=0, pool_timeout=1.0)
    wiring.plug_in(replace(world.wiring, begin=Transactions(one)))
    order_id = world.place(world.customer(), purchase())
    with ExitStack() as held, just_before(Step.COMPUTE_PRORATION, lambda: held.enter_context(one.connect())):
        assert delivered(order_id, Step.VALIDATE_CART) == "done"
    wiring.plug_in(world.wiring)
    one.dispose()
    assert told(events, "task-retried") == ["compute_proration"]
    assert messages.take() == [("compute_proration", 1)]
    assert world.go_on(order_id).status is OrderStatus.COMPLETED


@pytest.mark.parametrize("carries", [False])
def test_a_step_that_fails_before_it_takes_the_order_from_the_one_before_gives_it_back(
    world: World, events: Events, messages: Messages
) -> None:
    refused: list[UUID] = []
    order_id = world.place(world.customer(), purchase())

    def begin() -> AbstractContextManager[Session]:
        if refused:
            refused.clear()
            raise NoConnectionFree
        return world.transactions()

    wiring.plug_in(replace(world.wiring, begin=begin))
    with just_before(Step.COMPUTE_PRORATION, lambda: refused.append(order_id)):
        delivered(order_id, Step.VALIDATE_CART)
    wiring.plug_in(world.wiring)
    order = world.order(order_id)
    assert (order.next_step, order.lease_token) == (Step.COMPUTE_PRORATION, None)
    assert messages.take() == [("compute_proration", 1)]


def test_a_step_behind_anothers_lock_gives_its_place_to_others_and_is_tried_again_by_message(
    world: World, events: Events, messages: Messages
) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    with world.impatient(), world.begin() as another:
        another.execute(select(Account.id).where(Account.id == ada.account_id).with_for_update(key_share=True))
        assert delivered(order_id, Step.VALIDATE_CART) == "done"
    assert messages.take() == [("activate_subscription", 1)]
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [world.order(order_id).due_minor]


def test_a_letter_is_marked_though_the_connection_breaks_after_the_mail_servers_yes(
    world: World, events: Events, messages: Messages
) -> None:
    """Not marked, it would be sent again."""
    ada = world.customer()
    order_id = world.place(ada, purchase())
    cut: list[int] = []
    ours = threading.get_ident()

    def cuts_every_connection(*_: object) -> None:
        """Not when the thread that renews leases takes one: ours may be in the middle of a transaction."""
        if threading.get_ident() == ours and not cut and world.mails(ada):
            cut.append(1)
            with world.transactions() as another:
                backends = (
                    "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = current_database()"
                )
                another.execute(text(f"{backends} AND pid <> pg_backend_pid()"))

    engine = create_engine(world.transactions.engine.url)
    event.listen(engine, "checkout", cuts_every_connection)
    wiring.plug_in(replace(world.wiring, begin=Transactions(engine)))
    assert delivered(order_id, Step.VALIDATE_CART) == "done"
    wiring.plug_in(world.wiring)
    engine.dispose()
    assert cut == [1]
    assert messages.take() == []
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert len(world.mails(ada)) == 2
