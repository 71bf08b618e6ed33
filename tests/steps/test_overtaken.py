"""A worker that was stopped past its lease wakes up while another is at the very same step: only the token of the lease tells them apart."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest

from models import lease, progress, recording, step_ends
from models.ending import Ending
from models.lease import LeaseLost
from models.messages import SentLetter
from models.orders import Order
from models.recording import CARRIED
from models.states import AttemptStatus, LetterKind, LetterStatus, OrderStatus, Step
from tasks.charges import charge_attempts
from tasks.mail import mailing, marking
from tests.support.places import at
from tests.support.waiting import until_it_waits_for
from tests.support.world import World, end_waits, purchase

LEASE = timedelta(minutes=5)


def claim(world: World, order_id: UUID, step: Step) -> Order:
    """Whoever has the order loses it, and has no moment to renew the lease in."""
    with world.begin() as session:
        end_waits(session, order_id)
        claimed = lease.claim(session, order_id, step, lease=LEASE)
    assert claimed is not None
    return claimed


def overtaken(world: World, order_id: UUID, step: Step) -> Order:
    """The order as it was claimed by who lost it; another is at `step` now."""
    ours = claim(world, order_id, step)
    claim(world, order_id, step)
    return ours


@pytest.mark.parametrize(
    ("step", "point"),
    [
        (Step.COLLECT_PAYMENT, "claimed"),
        (Step.COLLECT_PAYMENT, "calling"),
        (Step.COLLECT_PAYMENT, "called"),
        (Step.SEND_CONFIRMATION_EMAIL, "claimed"),
        (Step.SEND_CONFIRMATION_EMAIL, "called"),
        (Step.PROMPT_SEAT_ASSIGNMENT, "claimed"),
    ],
)
def test_who_is_overtaken_does_not_end_the_step_of_another(world: World, step: Step, point: str) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=step)
    with at(f"{step}.{point}", lambda: claim(world, order_id, step)):
        assert world.deliver(order_id, step) == "held_by_another"
    order = world.order(order_id)
    assert (order.status, order.next_step, order.lease_token is None) == (OrderStatus.OPEN, step, False)
    assert f"{step}.done" not in world.timeline(order_id)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


def test_who_is_overtaken_before_it_asks_for_the_money_begins_no_attempt(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    with at("collect_payment.claimed", lambda: claim(world, order_id, Step.COLLECT_PAYMENT)):
        world.deliver(order_id, Step.COLLECT_PAYMENT)
    assert world.attempts(order_id) == []


def test_who_is_overtaken_cannot_lock_the_order(world: World) -> None:
    ours = overtaken(world, world.place(world.customer(), purchase()), Step.VALIDATE_CART)
    with pytest.raises(LeaseLost), world.begin() as session:
        lease.require_ours(session, ours)


def test_who_is_overtaken_does_not_settle_the_attempt(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    ours = claim(world, order_id, Step.COLLECT_PAYMENT)
    with world.begin() as session:
        method = charge_attempts.standing_of(session, ours).method
        assert method is not None
        attempt = charge_attempts.begin(session, ours, method.id)
    claim(world, order_id, Step.COLLECT_PAYMENT)
    with pytest.raises(LeaseLost), world.begin() as session:
        charge_attempts.settle(session, ours, attempt, AttemptStatus.VOID)
    assert world.attempts(order_id) == [(1, "pending", 119_00)]


def test_who_is_overtaken_writes_no_step_that_it_ended(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    ours = overtaken(world, order_id, Step.VALIDATE_CART)
    with world.begin() as session:
        step_ends.later(session, ours, next_step=Step.COMPUTE_PRORATION, facts={})
        with pytest.raises(LeaseLost):
            step_ends.write(session)
    assert world.order(order_id).next_step is Step.VALIDATE_CART


def begin_confirmation(world: World, order: Order) -> str | None:
    with world.begin() as session:
        return mailing.begin_letter(session, order, LetterKind.CONFIRMATION)


def test_who_is_overtaken_while_it_begins_a_letter_begins_none(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.SEND_CONFIRMATION_EMAIL)
    ours = claim(world, order_id, Step.SEND_CONFIRMATION_EMAIL)
    with ThreadPoolExecutor(1) as another:
        with world.begin() as session:
            end_waits(session, order_id)
            assert lease.claim(session, order_id, Step.SEND_CONFIRMATION_EMAIL, lease=LEASE)
            beginning = another.submit(begin_confirmation, world, ours)
            until_it_waits_for(session, beginning)
        assert beginning.result() is None
    assert world.rows(SentLetter, order_id=order_id) == []


def test_no_letter_is_begun_of_a_step_that_is_over(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.SEND_CONFIRMATION_EMAIL)
    ours = claim(world, order_id, Step.SEND_CONFIRMATION_EMAIL)
    with world.begin() as session:
        session.get_one(Order, order_id).next_step = Step.PROMPT_SEAT_ASSIGNMENT
    assert begin_confirmation(world, ours) is None
    assert world.rows(SentLetter, order_id=order_id) == []


def at_its_last_letter(world: World) -> Order:
    """An order in our hands whose last letter is being sent."""
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.PROMPT_SEAT_ASSIGNMENT)
    ours = claim(world, order_id, Step.PROMPT_SEAT_ASSIGNMENT)
    with world.begin() as session:
        assert mailing.begin_letter(session, ours, LetterKind.SEAT_PROMPT)
    return ours


def test_who_is_overtaken_does_not_mark_a_letter_with_the_end_of_the_order(world: World) -> None:
    ours = at_its_last_letter(world)
    claim(world, ours.id, Step.PROMPT_SEAT_ASSIGNMENT)
    with world.begin() as session, pytest.raises(LeaseLost):
        recording.stop(session, ours, Ending(OrderStatus.COMPLETED), letter=LetterKind.SEAT_PROMPT)
    [letter] = world.rows(SentLetter, order_id=ours.id, kind=LetterKind.SEAT_PROMPT)
    assert (letter.status, letter.sent_at) == (LetterStatus.SENDING, None)
    assert world.order(ours.id).status is OrderStatus.OPEN


def test_a_letter_that_was_found_undeliverable_meanwhile_stays_so_at_the_end_of_the_order(world: World) -> None:
    ours = at_its_last_letter(world)
    marking.mark(ours, LetterKind.SEAT_PROMPT, LetterStatus.UNDELIVERABLE, code="550")
    with world.begin() as session:
        recording.stop(session, ours, Ending(OrderStatus.COMPLETED), letter=LetterKind.SEAT_PROMPT)
    [letter] = world.rows(SentLetter, order_id=ours.id, kind=LetterKind.SEAT_PROMPT)
    assert letter.status is LetterStatus.UNDELIVERABLE
    assert world.timeline(ours.id)[-2:] == ["letter.undeliverable", "order.completed"]


def test_who_is_overtaken_does_not_give_the_order_of_another_back(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    ours = overtaken(world, order_id, Step.VALIDATE_CART)
    at_once = timedelta(0)
    with world.begin() as session:
        assert not progress.postpone(
            session, order_id, Step.VALIDATE_CART, ours.lease_token, delay=at_once, error="stale"
        )
    assert world.order(order_id).lease_token is not None


def test_a_step_that_shares_its_transaction_with_the_one_before_it_can_be_put_off(world: World) -> None:
    order_id = world.place(world.customer(), purchase())
    ours = claim(world, order_id, Step.VALIDATE_CART)
    with world.begin() as session:
        session.info[CARRIED] = True
        recording.hand_on(session, ours)
        this, token = Step.COMPUTE_PRORATION, ours.lease_token
        assert progress.postpone(session, order_id, this, token, delay=timedelta(minutes=1), error="away")
    order = world.order(order_id)
    assert (order.next_step, order.lease_token, order.last_error) == (Step.COMPUTE_PRORATION, None, "away")
