"""A mail server that is slow to answer holds a part of a process's threads; other letters wait for their turn without one."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from models.messages import SentLetter
from models.states import OrderStatus, Step
from models.vat_follow_ups import VatFollowUp
from tasks.errors import NotAsked
from tasks.mail import at_once
from tasks.mail.at_once import Places
from tasks.sweep import sweep
from tasks.vat import vat_follow_up
from tests.support.in_one_process import Messages, delivered
from tests.support.messages import eventually
from tests.support.world import World, purchase

CONFIRMS = Step.SEND_CONFIRMATION_EMAIL
NUMBER = "FR40303265045"


@pytest.fixture(autouse=True)
def _without_a_limit_after() -> Iterator[None]:
    yield
    at_once.set_up(Places())


def no_place() -> Places:
    """All are held, and have been for long."""
    return Places(0, patience=0.0)


def about_to_confirm(world: World) -> UUID:
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=CONFIRMS)
    return order_id


def test_letters_beyond_the_limit_are_postponed_and_all_are_sent_once(
    world: World, events: object, messages: Messages
) -> None:
    customers = [world.customer() for _ in range(6)]
    orders = [world.place(customer, purchase()) for customer in customers]
    for order_id in orders:
        world.run(order_id, until=CONFIRMS)
    at_once.set_up(Places(2, patience=0.2))
    world.mailbox.fail("slow", seconds=3, recipient="*@customer.example")
    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(lambda order_id: delivered(order_id, CONFIRMS), orders))
    assert Counter(outcomes) == {"done": 2, "postponed": 4}
    later = [order_id for order_id, outcome in zip(orders, outcomes, strict=True) if outcome == "postponed"]
    assert [world.rows(SentLetter, order_id=order_id) for order_id in later] == [[]] * 4
    assert messages.take() == []
    world.mailbox.heal()
    assert [world.go_on(order_id).status for order_id in orders] == [OrderStatus.COMPLETED] * 6
    assert [len(world.mails(customer)) for customer in customers] == [2] * 6
    letters = world.rows(SentLetter)
    assert [letter.attempts for letter in letters] == [1] * 12


def test_waiting_for_a_place_counts_neither_as_a_restart_nor_as_a_try(
    world: World, events: object, messages: Messages
) -> None:
    world.policy(max_restarts=2)
    order_id = about_to_confirm(world)
    at_once.set_up(no_place())
    assert delivered(order_id, CONFIRMS) == "postponed"
    assert 5 <= world.wakes_in(order_id) <= 13
    for _ in range(5):
        world.let_waits_run_out(order_id)
        sweep()
        assert delivered(order_id, CONFIRMS) == "postponed"
        assert (world.order(order_id).status, world.order(order_id).restarts) == (OrderStatus.OPEN, 0)
    assert messages.take() == []
    assert "NotAsked: as many letters wait" in (world.order(order_id).last_error or "")
    at_once.set_up(Places())
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert [letter.attempts for letter in world.rows(SentLetter, order_id=order_id)] == [1, 1]


def test_what_steps_before_it_did_is_kept(world: World, events: object) -> None:
    order_id = world.place(world.customer(), purchase())
    at_once.set_up(no_place())
    assert delivered(order_id, Step.VALIDATE_CART) == "done"
    order = world.order(order_id)
    assert (order.status, order.next_step) == (OrderStatus.OPEN, CONFIRMS)
    assert world.timeline(order_id)[-2:] == ["activate_subscription.done", "send_confirmation_email.postponed"]


def test_the_letter_about_vat_waits_for_a_place_and_uses_up_no_try(world: World) -> None:
    ada = world.customer(country="FR", vat_number=NUMBER)
    world.vies.register(NUMBER, status="valid")
    world.vies.fail("MS_UNAVAILABLE")
    order_id = world.buy(ada, purchase()).id
    world.vies.forget()
    world.vies.register(NUMBER, status="invalid")
    before = len(world.mails(ada))
    at_once.set_up(no_place())
    for _ in range(5):
        world.pass_time(minutes=21)
        vat_follow_up.vat_follow_up()
    follow_up = world.rows(VatFollowUp, order_id=order_id)[0]
    assert (follow_up.letter_owed, follow_up.tries) == (True, 0)
    assert len(world.mails(ada)) == before
    at_once.set_up(Places())
    world.pass_time(minutes=5)
    vat_follow_up.vat_follow_up()
    assert len(world.mails(ada)) == before + 1


def test_with_a_free_place_a_letter_costs_no_statement_and_no_commit_more(world: World, events: object) -> None:
    told: list[str] = []
    engine, here = world.transactions.engine, threading.get_ident()

    def tell(statement: str) -> None:
        if threading.get_ident() == here:  # leases are renewed by another thread
            told.append(statement)

    event.listen(engine, "before_cursor_execute", lambda _, __, statement, *___: tell(statement))
    event.listen(engine, "commit", lambda _: tell("commit"))
    without, limited = about_to_confirm(world), about_to_confirm(world)
    costs = []
    for order_id, places in ((without, Places()), (limited, Places(1))):
        at_once.set_up(places)
        told.clear()
        assert delivered(order_id, CONFIRMS) == "done"
        costs.append(told.copy())
    assert costs[1] == costs[0]
    assert len(costs[0]) > 3


def test_who_finds_no_place_takes_the_next_that_comes_free_by_whatever_way() -> None:
    places = Places(1, patience=60)
    at_once.set_up(places)
    came: list[str] = []

    def second() -> None:
        with at_once.place():
            came.append("second")

    waits = threading.Thread(target=second, daemon=True)
    with suppress(ZeroDivisionError), at_once.place():
        waits.start()
        assert eventually(lambda: bool(places._came_free._waiters))  # type: ignore[attr-defined]
        came.append("first")
        raise ZeroDivisionError
    waits.join(60)
    assert came == ["first", "second"]


@pytest.mark.parametrize(("seconds", "waits"), [(1.9, True), (2.0, False)])
def test_where_no_place_came_free_for_two_seconds_nobody_waits_for_one(seconds: float, waits: bool) -> None:
    times: Any = iter([0.0, 0.0, seconds])
    places = Places(1, now=lambda: next(times))
    assert places.take_free()
    assert not places.take_free()
    assert places.move() is waits


def test_who_waits_in_vain_did_not_ask(world: World) -> None:
    at_once.set_up(Places(0, patience=0.05))
    with pytest.raises(NotAsked) as refused, at_once.place():
        pass
    assert refused.value.retry_after == at_once.AGAIN_IN == 5
