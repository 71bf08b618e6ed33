"""A worker dies at every named point of every step: the order goes on, one charge, one activation, each letter once.

SMTP leaves one window open, and the last test says so: between the mail server's yes and our mark.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from models import attention, lease, recording
from models.lease import LeaseLost
from models.states import BACK, FORWARD, LetterKind, OrderStatus, Step
from models.subscriptions import SubscriptionPeriod
from tasks import wiring
from tasks.charges import charge_answers, charge_attempts
from tasks.ports import UNDER_WAY, Charge, ChargeStatus, Letter, Mailer
from tests.support.messages import eventually
from tests.support.payment import CREATE, spoil_activation
from tests.support.places import Died, at, dying_at
from tests.support.world import Customer, World, end_waits, purchase, trial
from worker.drill.kinds import CALLS_OUTSIDE

EVERYWHERE = ("claimed", "called", "recorded")


def places(steps: Iterable[Step]) -> list[str]:
    calling = [f"{step}.calling" for step in steps if step in CALLS_OUTSIDE]
    return [f"{step}.{point}" for step in steps for point in EVERYWHERE] + calling


def die_and_go_on(world: World, order_id: UUID, place: str) -> OrderStatus:
    with dying_at(place):
        world.run(order_id)
    return world.go_on(order_id).status


@pytest.mark.parametrize("place", places(FORWARD))
def test_a_worker_that_dies_on_the_way_leaves_an_order_that_goes_on(world: World, place: str) -> None:
    ada = world.customer()
    world.grant(ada, 19_00)
    order_id = world.place(ada, purchase("desk"), trial("chat"))
    assert die_and_go_on(world, order_id, place) is OrderStatus.COMPLETED
    assert (world.charged(ada), world.balance(ada)) == ([100_00], 0)
    assert len(world.rows(SubscriptionPeriod, order_id=order_id)) == 2
    assert world.letters(order_id) == ["confirmation", "seat_prompt", "trial_welcome"]
    assert len(world.mails(ada)) == 3


@pytest.mark.parametrize("place", places(BACK))
def test_a_worker_that_dies_on_the_way_back_gives_the_money_back_once(world: World, place: str) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase("desk"), trial("chat"))
    spoil_activation(world, ada, order_id)
    assert die_and_go_on(world, order_id, place) is OrderStatus.REFUNDED
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [119_00])
    assert (world.letters(order_id), len(world.mails(ada))) == (["refund_notice"], 1)


def test_until_its_lease_is_over_a_dead_workers_order_is_nobody_elses(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    with dying_at("collect_payment.claimed"):
        world.run(order_id)
    assert world.deliver(order_id, Step.COLLECT_PAYMENT) == "held_by_another"
    world.let_waits_run_out(order_id)
    assert world.deliver(order_id, Step.COLLECT_PAYMENT) == "done"


@pytest.fixture
def failed_at_stripe(world: World) -> tuple[Customer, UUID]:
    """An order whose worker died as soon as Stripe had answered its charge with a 500 that it keeps; what it had begun is still to take effect."""
    ada = world.customer()
    world.stripe.fail("server_error_before_effect", CREATE, times=1, seconds=600)
    order_id = world.place(ada, purchase())
    with dying_at("collect_payment.key_spent"):
        world.run(order_id)
    return ada, order_id


def test_whoever_follows_a_worker_that_died_after_a_500_waits_for_what_may_still_take_effect(
    world: World, failed_at_stripe: tuple[Customer, UUID]
) -> None:
    ada, order_id = failed_at_stripe
    assert world.go_on(order_id).status is OrderStatus.OPEN
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "pending", 119_00)], [])
    assert world.wakes_in(order_id) > UNDER_WAY.total_seconds() - 20
    world.stripe.calm()
    assert eventually(lambda: world.charged(ada) == [119_00])
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "succeeded", 119_00)], [119_00])


def test_whoever_follows_a_worker_that_died_after_a_500_waits_no_longer_than_a_minute_after_the_last_request(
    world: World, failed_at_stripe: tuple[Customer, UUID]
) -> None:
    ada, order_id = failed_at_stripe
    world.pass_time(seconds=59)
    assert world.go_on(order_id, times=1).status is OrderStatus.OPEN
    assert world.attempts(order_id) == [(1, "pending", 119_00)]
    world.pass_time(seconds=60)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "succeeded", 119_00)]
    assert world.charged(ada) == [119_00]


# Stalled past the lease, then awake again


@pytest.mark.parametrize(
    "place",
    [
        f"{step}.{point}"
        for step in (Step.COLLECT_PAYMENT, Step.SEND_CONFIRMATION_EMAIL)
        for point in ("claimed", "called")
    ]
    + [f"{Step.PROMPT_SEAT_ASSIGNMENT}.claimed"],
)
def test_a_worker_that_wakes_up_after_its_lease_writes_nothing(world: World, place: str) -> None:
    """At `place` it is stopped for longer than its lease, and another one carries the order on meanwhile."""
    ada = world.customer()
    order_id = world.place(ada, purchase())
    step = Step(place.split(".")[0])
    world.run(order_id, until=step)
    with at(place, lambda: world.go_on(order_id)):
        assert world.deliver(order_id, step) == "held_by_another"
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert (world.charged(ada), len(world.mails(ada))) == ([119_00], 2)
    assert world.timeline(order_id).count(f"{step}.done") <= 1


@pytest.fixture
def at_the_prompt(world: World) -> UUID:
    """An order whose prompt is all that is left to do."""
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.PROMPT_SEAT_ASSIGNMENT)
    return order_id


def test_a_worker_that_wakes_up_after_its_letter_was_sent_again_ends_nothing(world: World, at_the_prompt: UUID) -> None:
    class Stalls(Mailer):
        def send(self, letter: Letter) -> None:
            world.wiring.mailer.send(letter)
            wiring.plug_in(world.wiring)
            world.go_on(at_the_prompt)

    wiring.plug_in(replace(world.wiring, mailer=Stalls()))
    assert world.deliver(at_the_prompt, Step.PROMPT_SEAT_ASSIGNMENT) == "held_by_another"
    timeline = world.timeline(at_the_prompt)
    assert (timeline.count("letter.sent"), timeline.count("order.completed")) == (2, 1)


def test_a_letter_of_an_order_that_another_has_taken_is_marked_all_the_same(world: World, at_the_prompt: UUID) -> None:
    class Stalls(Mailer):
        def send(self, letter: Letter) -> None:
            world.wiring.mailer.send(letter)
            with world.begin() as session:
                end_waits(session, at_the_prompt)
                assert lease.claim(session, at_the_prompt, Step.PROMPT_SEAT_ASSIGNMENT, lease=timedelta(seconds=8))

    wiring.plug_in(replace(world.wiring, mailer=Stalls()))
    assert world.deliver(at_the_prompt, Step.PROMPT_SEAT_ASSIGNMENT) == "held_by_another"
    wiring.plug_in(world.wiring)
    assert world.timeline(at_the_prompt)[-1] == "letter.sent"
    assert world.go_on(at_the_prompt).status is OrderStatus.COMPLETED
    assert world.timeline(at_the_prompt)[-2:] == ["letter.sent", "order.completed"]


@pytest.mark.parametrize("trouble", [OperationalError("", None, Exception("gone")), NoConnectionFree()])
def test_a_letter_is_marked_by_itself_where_its_orders_end_cannot_be_written(
    world: World, at_the_prompt: UUID, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    stop, tries = recording.stop, []

    def fails_once(*given: Any, **named: Any) -> None:
        tries.append(named.get("letter"))
        if len(tries) == 1:
            raise trouble
        stop(*given, **named)

    monkeypatch.setattr(recording, "stop", fails_once)
    assert world.deliver(at_the_prompt, Step.PROMPT_SEAT_ASSIGNMENT) == "done"
    assert tries == [LetterKind.SEAT_PROMPT, None]
    assert world.timeline(at_the_prompt)[-2:] == ["letter.sent", "order.completed"]


def test_a_stale_answer_does_not_overwrite_what_became_of_the_charge(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    with world.begin() as session:
        stalled = lease.claim(session, order_id, Step.COLLECT_PAYMENT, lease=timedelta(seconds=8))
    assert stalled is not None
    world.go_on(order_id)
    with world.begin() as session:
        attempt = charge_attempts.live(session, order_id)
    assert attempt is not None
    stale = Charge(attempt.ref or "", ChargeStatus.PROCESSING, attempt.amount_minor, attempt.currency)
    with pytest.raises(LeaseLost), world.begin() as session:
        charge_answers.record(session, stalled, attempt, stale)
    assert world.attempts(order_id) == [(1, "succeeded", 119_00)]


def test_a_stale_worker_cannot_park_the_order_of_another(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    with world.begin() as session:
        lease.claim(session, order_id, Step.VALIDATE_CART, lease=timedelta(seconds=8))
    with world.begin() as session:
        assert attention.park(session, order_id, error="stale", token=order_id) is False
    assert world.order(order_id).status is OrderStatus.OPEN


# The window that SMTP leaves open


class DiesAfterSending:
    """The mail server says yes; before that is written down, the worker dies."""

    def __init__(self, mailer: Mailer) -> None:
        self.mailer = mailer

    def send(self, letter: Letter) -> None:
        self.mailer.send(letter)
        raise Died


def test_a_death_between_the_mail_servers_yes_and_our_mark_sends_the_same_message_again(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.PROMPT_SEAT_ASSIGNMENT)
    wiring.plug_in(replace(world.wiring, mailer=DiesAfterSending(world.wiring.mailer)))
    with pytest.raises(Died):
        world.run(order_id)
    wiring.plug_in(world.wiring)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert message_ids(world, ada) == [f"order-{order_id}.seat_prompt@prorata.example"] * 2


def message_ids(world: World, customer: Customer) -> list[str]:
    found = world.mailbox.listed(f"to:{customer.email}")
    return [mail["MessageID"] for mail in found if "assigned" in mail["Subject"]]
