"""Things that happen at the same moment: one of them wins, the other is told, and no amount is spent twice."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from models import lease, ledger, timeline
from models.account_lock import lock_account
from models.catalogue import Price
from models.lease import LeaseLost
from models.orders import Order, OrderEvent, OrderLine
from models.rules.cart import SubscriptionStatus
from models.rules.refusals import RefusalCode
from models.states import LetterKind, LetterStatus, OrderStatus, Step
from models.subscriptions import Subscription, SubscriptionPeriod
from tasks import placement, wiring
from tasks.mail import mailing, marking
from tasks.operating import support_refund
from tasks.placement import RequestRefused
from tasks.upstream import seats
from tests.support.places import at
from tests.support.waiting import until_it_waits_for
from tests.support.world import MONTH, YEAR, Customer, World, change, purchase, trial


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each call returned or raised, in the order of the calls."""
    results: list[Any] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def do(number: int, call: Callable[[], Any]) -> None:
        start.wait()
        try:
            results[number] = call()
        except RequestRefused as refused:
            results[number] = refused.code

    threads = [threading.Thread(target=do, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_two_orders_on_one_product_at_once_are_one_order(world: World) -> None:
    ada = world.customer()
    quotes = [world.quote(ada, purchase("desk"), purchase("chat")), world.quote(ada, purchase("chat", seats=3))]
    results = at_once(*(lambda q=q: world.place_quote(ada, q.id) for q in quotes))
    assert [result for result in results if isinstance(result, str)] == ["open-order"]
    assert len(world.rows(Order)) == 1
    assert len(world.outbox()) == 1


def test_a_product_is_held_by_its_order_until_that_ends(world: World) -> None:
    ada = world.customer()
    first = world.place(ada, purchase("desk"))
    with pytest.raises(RequestRefused) as refused:
        world.place(ada, purchase("desk"), purchase("chat"))
    facts = {"products": ["desk"], "order_ids": [str(first)]}
    assert (refused.value.code, refused.value.facts) == ("open-order", facts)
    assert world.place(ada, purchase("chat"))
    world.run(first)
    assert world.buy(ada, change("desk", seats=12)).status is OrderStatus.COMPLETED


def test_each_order_that_holds_one_of_the_products_is_named_once(world: World) -> None:
    ada, bob = world.customer(), world.customer()
    world.place(bob, purchase("desk"))
    two, one = world.place(ada, purchase("desk"), purchase("chat")), world.place(ada, purchase("wiki"))
    with pytest.raises(RequestRefused) as refused:
        world.place(ada, purchase("chat"), purchase("desk"), purchase("wiki"))
    assert refused.value.facts == {"products": ["chat", "desk", "wiki"], "order_ids": [str(two), str(one)]}


def test_a_refused_placement_leaves_nothing_even_if_its_transaction_is_committed(world: World) -> None:
    ada = world.customer()
    world.place(ada, purchase("desk"))
    quote = world.quote(ada, purchase("desk"))
    with world.begin() as session, pytest.raises(RequestRefused):
        placement.place(
            session, quote_id=quote.id, account_id=ada.account_id, idempotency_key="k", api_key_id=None, now=world.time
        )
    assert len(world.rows(Order)) == 1


def test_the_same_idempotency_key_gives_the_same_order(world: World) -> None:
    ada = world.customer()
    quote = world.quote(ada, purchase())
    first = world.place_quote(ada, quote.id, key="one")
    world.pass_time(hours=2)
    assert world.place_quote(ada, quote.id, key="one") == first
    assert len(world.outbox()) == 1


def test_the_same_idempotency_key_twice_at_once_is_one_order(world: World) -> None:
    ada = world.customer()
    quote = world.quote(ada, purchase())
    results = at_once(*[lambda: world.place_quote(ada, quote.id, key="one")] * 4)
    assert len(set(results)) == 1
    assert isinstance(results[0], UUID)
    assert len(world.rows(Order)) == 1


def test_the_same_idempotency_key_with_another_request_is_a_conflict(world: World) -> None:
    ada = world.customer()
    first = world.place_quote(ada, world.quote(ada, purchase("desk")).id, key="one")
    with pytest.raises(RequestRefused) as refused:
        world.place_quote(ada, world.quote(ada, purchase("chat")).id, key="one")
    assert (refused.value.code, refused.value.facts) == ("idempotency-key-reused", {"order_id": str(first)})


def test_one_key_with_two_requests_at_once_is_one_order_and_one_conflict(world: World) -> None:
    ada = world.customer()
    quotes = [world.quote(ada, purchase("desk")), world.quote(ada, purchase("chat"))]
    results = at_once(*(lambda q=q: world.place_quote(ada, q.id, key="one") for q in quotes))
    assert [result for result in results if isinstance(result, str)] == ["idempotency-key-reused"]


def test_a_quote_is_ordered_once(world: World) -> None:
    ada = world.customer()
    quote = world.quote(ada, purchase())
    results = at_once(*(lambda k=k: world.place_quote(ada, quote.id, key=k) for k in ("one", "two")))
    assert [result for result in results if isinstance(result, str)] == ["quote-used"]


def test_two_orders_on_one_balance_at_once_spend_it_once(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 50_00)
    ids = [world.place(ada, purchase("desk")), world.place(ada, purchase("chat"))]
    at_once(*(lambda i=i: world.run(i) for i in ids))
    assert sorted(world.order(i).status for i in ids) == ["awaiting_confirmation", "completed"]
    assert (world.charged(ada), world.balance(ada)) == ([69_00], 0)


# Who changes the account's balance or periods keeps others from that, and nobody from placing an order


def grant(session: Session, ada: Customer) -> None:
    ledger.post(
        session, account_id=ada.account_id, currency="EUR", kind=ledger.MovementKind.GRANTED, amount_minor=1,
        cause="grant", step="test",
    )  # fmt: skip


def lock_periods(session: Session, ada: Customer) -> None:
    lock_account(session, ada.account_id)


@contextmanager
def waiting_for_nobody(world: World) -> Iterator[Session]:
    with world.begin() as session:
        session.execute(text("set local lock_timeout = '50ms'"))
        yield session


def place_without_waiting(world: World, ada: Customer, quote_id: UUID) -> UUID:
    with waiting_for_nobody(world) as session:
        return placement.place(
            session, quote_id=quote_id, account_id=ada.account_id, idempotency_key="k", api_key_id=None, now=world.time
        ).order.id


@pytest.mark.parametrize("change_account", [grant, lock_periods])
def test_an_order_is_placed_while_somebody_changes_the_accounts_balance_or_periods(
    world: World, change_account: Callable[[Session, Customer], None]
) -> None:
    """Who waits here with its products held would be waited for by a VAT correction, which wants to hold them too."""
    ada = world.customer()
    quote = world.quote(ada, purchase())
    with world.begin() as busy:
        change_account(busy, ada)
        assert place_without_waiting(world, ada, quote.id)


def test_an_order_is_placed_while_another_of_the_account_is_activated(world: World) -> None:
    ada = world.customer()
    first = world.place(ada, purchase("desk"))
    quote = world.quote(ada, purchase("chat"))
    placed: list[UUID] = []

    def place_meanwhile() -> None:
        placed.append(place_without_waiting(world, ada, quote.id))

    with at("activate_subscription.called", place_meanwhile):
        assert world.run(first).status is OrderStatus.COMPLETED
    assert world.run(placed[0]).status is OrderStatus.COMPLETED


@pytest.mark.parametrize("first", [grant, lock_periods])
@pytest.mark.parametrize("second", [grant, lock_periods])
def test_changes_of_an_accounts_balance_and_periods_wait_for_each_other(
    world: World, first: Callable[[Session, Customer], None], second: Callable[[Session, Customer], None]
) -> None:
    ada = world.customer()
    with world.begin() as busy:
        first(busy, ada)
        with pytest.raises(OperationalError, match="lock timeout"), waiting_for_nobody(world) as session:
            second(session, ada)


def test_an_activation_keeps_others_from_the_accounts_balance_and_periods(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    waited: list[str] = []

    def try_meanwhile() -> None:
        for change_account in (grant, lock_periods):
            with pytest.raises(OperationalError, match="lock timeout"), waiting_for_nobody(world) as session:
                change_account(session, ada)
            waited.append(change_account.__name__)

    with at("activate_subscription.called", try_meanwhile):
        world.run(order_id)
    assert waited == ["grant", "lock_periods"]


# Whoever writes to an order's timeline has its row: what becomes visible later has the higher id


def noted_meanwhile(world: World, order_id: UUID, write: Callable[[], object]) -> list[str]:
    """The timeline, where somebody has the order's row when `write` begins, and then notes something."""
    with ThreadPoolExecutor(1) as another:
        with world.begin() as session:
            session.execute(select(Order.id).where(Order.id == order_id).with_for_update())
            writing = another.submit(write)
            until_it_waits_for(session, writing)
            timeline.note(session, order_id, "noted.meanwhile")
        writing.result()
    return world.timeline(order_id)


def begun(world: World, kind: LetterKind) -> Order:
    """An order in our hands whose letter is about to be sent."""
    order_id = world.place(world.customer(), purchase())
    world.run(order_id, until=Step.PROMPT_SEAT_ASSIGNMENT)
    with world.begin() as session:
        order = lease.claim(session, order_id, Step.PROMPT_SEAT_ASSIGNMENT, lease=timedelta(seconds=60))
        assert order is not None
        assert mailing.begin_letter(session, order, kind)
        return order


def test_a_letters_mark_comes_after_what_is_noted_by_who_has_the_order(world: World) -> None:
    order = begun(world, LetterKind.SEAT_PROMPT)
    timeline = noted_meanwhile(world, order.id, lambda: marking.mark(order, LetterKind.SEAT_PROMPT, LetterStatus.SENT))
    assert timeline[-2:] == ["noted.meanwhile", "letter.sent"]


def test_a_letters_mark_comes_after_what_is_noted_by_who_has_taken_the_order_from_us(world: World) -> None:
    order = begun(world, LetterKind.SEAT_PROMPT)
    world.let_waits_run_out(order.id)
    with world.begin() as session:
        assert lease.claim(session, order.id, Step.PROMPT_SEAT_ASSIGNMENT, lease=timedelta(seconds=60))

    def complete() -> None:
        with pytest.raises(LeaseLost):
            mailing.complete_with(order, LetterKind.SEAT_PROMPT)

    assert noted_meanwhile(world, order.id, complete)[-2:] == ["noted.meanwhile", "letter.sent"]


def test_of_a_confirmation_and_a_cancellation_at_once_the_later_finds_the_earlier(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.reprice("desk", "team", MONTH, 12_00)
    world.run(order_id)
    at_once(lambda: world.confirm(order_id), lambda: world.cancel(order_id))
    assert world.go_on(order_id).status is OrderStatus.CANCELLED
    assert world.charged(ada) == []


def test_a_cancellation_while_the_chain_runs_leaves_a_clean_end(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    at_once(lambda: world.run(order_id), lambda: world.cancel(order_id))
    order = world.go_on(order_id)
    assert order.status in (OrderStatus.COMPLETED, OrderStatus.CANCELLED, OrderStatus.REFUNDED)
    kept = sum(world.charged(ada)) - sum(world.given_back(ada))
    assert kept == (119_00 if order.status is OrderStatus.COMPLETED else 0)


def test_a_price_that_changes_after_the_amount_was_checked_does_not_change_the_charge(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase("desk", "team", 10))
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    world.reprice("desk", "team", MONTH, 12_00)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


def test_a_version_of_the_catalogue_that_takes_effect_later_changes_nothing_yet(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase("desk", "team", 10))
    world.time += timedelta(days=1)
    world.reprice("desk", "team", MONTH, 12_00)
    world.time -= timedelta(days=1)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert {price.unit_minor for price in world.rows(Price, product_code="desk", tier_code="team")} >= {10_00, 12_00}


# Seats assigned while an order cuts them


def test_while_an_order_cuts_seats_nobody_gets_a_seat_that_is_about_to_go(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase(seats=3))
    held = world.subscription(ada, "desk")
    order_id = world.place(ada, change(seats=1))
    with world.begin() as session:
        seats.assign(session, subscription_id=held.id, email="a@x.example", now=world.time)
    with pytest.raises(seats.SeatsRefused) as refused, world.begin() as session:
        seats.assign(session, subscription_id=held.id, email="b@x.example", now=world.time)
    assert refused.value.code == "no-seat-left"
    assert world.run(order_id).status is OrderStatus.COMPLETED


def test_seats_assigned_in_between_reject_the_cut_and_name_the_users(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase(seats=3))
    order_id = world.place(ada, change(seats=1))
    world.assign(ada, "desk", "a@x.example", "b@x.example")
    order = world.run(order_id)
    [reason] = (order.reason_facts or {})["refusals"]
    assert (order.status, reason["code"]) == (OrderStatus.REJECTED, RefusalCode.SEATS_BELOW_ASSIGNED)
    assert reason["most_recent"] == ["b@x.example"]
    told = [event.facts for event in world.rows(OrderEvent, order_id=order_id)]
    assert {"reason": "seats-below-assigned", "refused": ["seats-below-assigned"]} in told
    assert "@" not in str(told), "the timeline holds no addresses"


def test_seats_assigned_at_the_last_moment_turn_the_order_back_and_nobody_loses_a_seat(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase(seats=3))
    order_id = world.place(ada, change(seats=1, interval=YEAR))
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    world.assign(ada, "desk", "a@x.example", "b@x.example")
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.REFUNDED, "seats-below-assigned")
    assert world.given_back(ada) == [world.charged(ada)[-1]]
    assert world.subscription(ada, "desk").seats == 3


def test_a_seat_that_is_being_assigned_when_the_order_for_fewer_begins_is_waited_for_and_counted(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase(seats=3))
    world.assign(ada, "desk", "a@x.example")
    held = world.subscription(ada, "desk").id
    with ThreadPoolExecutor(1) as another:
        with world.begin() as session:
            seats.assign(session, subscription_id=held, email="b@x.example", now=world.time)
            order_id = world.place(ada, change(seats=1, interval=YEAR))
            activating = another.submit(world.run, order_id)
            until_it_waits_for(session, activating)
        order = activating.result()
    assert (order.status, order.reason) == (OrderStatus.REFUNDED, "seats-below-assigned")
    assert world.subscription(ada, "desk").seats == 3


def test_a_change_of_what_a_refund_ended_at_the_last_moment_is_turned_back(world: World) -> None:
    ada = world.customer()
    bought = world.buy(ada, purchase()).id
    order_id = world.place(ada, change(interval=YEAR))
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    with world.begin() as session:
        support_refund.refund(session, bought, by="ops", why="asked by phone", now=world.time)
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.REFUNDED, "not-subscribed")
    assert world.given_back(ada) == [world.charged(ada)[-1]]
    assert world.subscription(ada, "desk").status is SubscriptionStatus.ENDED


def test_a_change_of_another_period_than_the_running_one_is_turned_back(world: World) -> None:
    """No other order gets that far while this one is open; should something else replace the period, none is credited that it was not priced by."""
    ada = world.customer()
    world.buy(ada, purchase())
    world.buy(ada, change(seats=20))
    order_id = world.place(ada, change(seats=30))
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    [before] = [period for period in world.rows(SubscriptionPeriod) if period.closed_at is not None]
    with world.begin() as session:
        session.execute(update(OrderLine).where(OrderLine.order_id == order_id).values(from_period_id=before.id))
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.REFUNDED, "subscription-changed")
    assert world.given_back(ada) == [world.charged(ada)[-1]]
    assert world.subscription(ada, "desk").seats == 20


def test_a_purchase_of_what_has_become_active_at_the_last_moment_is_turned_back(world: World) -> None:
    ada = world.customer()
    world.buy(ada, trial("desk", "team", 5))
    order_id = world.place(ada, purchase("desk", "team", 5))
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    with world.begin() as session:
        session.execute(update(Subscription).values(status=SubscriptionStatus.ACTIVE, interval=MONTH))
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.REFUNDED, "already-subscribed")
    assert world.given_back(ada) == world.charged(ada)


def test_one_seat_and_two_users_at_once(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase(seats=1))
    held = world.subscription(ada, "desk").id

    def sit(email: str) -> str:
        try:
            with wiring.begin() as session:
                return seats.assign(session, subscription_id=held, email=email, now=world.time)
        except seats.SeatsRefused as refused:
            return refused.code

    results = at_once(lambda: sit("a@x.example"), lambda: sit("b@x.example"))
    assert sorted(results) == ["assigned", "no-seat-left"]


def test_two_trials_of_one_product_at_once_are_one(world: World) -> None:
    ada = world.customer()
    quotes = [world.quote(ada, trial("desk")), world.quote(ada, trial("desk"))]
    results = at_once(*(lambda q=q: world.place_quote(ada, q.id, key=str(uuid4())) for q in quotes))
    assert [result for result in results if isinstance(result, str)] == ["open-order"]
