"""One charge of the quoted amount, whatever the card, the bank or the line does."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from models.accounts import PaymentMethod, PaymentMethodStatus
from models.payments import ChargeAttempt
from models.states import OrderStatus, Step
from tasks import wiring
from tasks.charges import charge_calls, charge_news
from tasks.errors import Refused
from tasks.ports import ChargeStatus, PaymentProvider
from tests.support.messages import eventually
from tests.support.payment import CREATE, DECLINES
from tests.support.places import at
from tests.support.world import Customer, World, purchase


def test_a_declined_card_leaves_the_order_waiting_with_the_banks_code(world: World) -> None:
    ada = world.customer(card=DECLINES)
    order = world.buy(ada, purchase())
    assert (order.status, order.reason) == (OrderStatus.PAYMENT_DECLINED, "payment-declined")
    assert order.reason_facts == {"decline_code": "generic_decline", "attempt": 1}
    assert (world.charged(ada), world.mails(ada)) == ([], [])


def test_another_card_is_another_attempt_with_another_key(world: World) -> None:
    ada = world.customer(card=DECLINES)
    order_id = world.buy(ada, purchase()).id
    world.give_card(ada)
    world.pay_again(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.attempts(order_id) == [(1, "declined", 119_00), (2, "succeeded", 119_00)]
    keys = {row.attempt: row.key for row in world.rows(ChargeAttempt, order_id=order_id)}
    assert keys == {1: f"order:{order_id}:charge:1", 2: f"order:{order_id}:charge:2"}
    assert world.charged(ada) == [119_00]


def test_a_declined_card_says_nothing_about_anybody_elses(world: World) -> None:
    ada, bob = world.customer(card=DECLINES), world.customer()
    assert world.buy(ada, purchase()).status is OrderStatus.PAYMENT_DECLINED
    assert world.buy(bob, purchase()).status is OrderStatus.COMPLETED
    assert world.charged(bob) == [119_00]


def test_paying_again_without_another_card_asks_for_one(world: World) -> None:
    ada = world.customer(card=DECLINES)
    order_id = world.buy(ada, purchase()).id
    world.pay_again(order_id)
    assert world.run(order_id).status is OrderStatus.AWAITING_PAYMENT_DETAILS
    assert world.attempts(order_id) == [(1, "declined", 119_00)]


def test_a_card_that_was_replaced_before_its_bank_refused_it_stays_replaced(world: World) -> None:
    ada = world.customer(card=DECLINES)
    with at("collect_payment.called", lambda: world.give_card(ada)):
        order_id = world.buy(ada, purchase()).id
    assert world.order(order_id).status is OrderStatus.PAYMENT_DECLINED
    cards = world.rows(PaymentMethod, account_id=ada.account_id)
    assert sorted(card.status for card in cards) == [PaymentMethodStatus.REPLACED, PaymentMethodStatus.USABLE]
    world.pay_again(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.attempts(order_id) == [(1, "declined", 119_00), (2, "succeeded", 119_00)]


@pytest.mark.parametrize(
    ("kind", "limits"),
    [
        ("rate_limit", {"times": 2}),
        ("unavailable", {"times": 2}),
        ("connection_reset", {"times": 2}),
        ("answer_lost", {"times": 2}),
        ("server_error", {"times": 1}),
        ("server_error_after_effect", {"times": 1}),
        ("dependency_failed", {"times": 1}),
        ("rate_limit", {"times": 30}),
        ("answer_lost", {"times": 30}),
        ("connection_reset", {"times": 30}),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value["times"]),
)
def test_whatever_the_line_does_the_quoted_amount_is_charged_once(
    world: World, kind: str, limits: dict[str, int]
) -> None:
    ada = world.customer()
    world.stripe.fail(kind, CREATE, **limits)
    order_id = world.place(ada, purchase())
    world.run(order_id)
    world.stripe.calm()
    world.pass_time(seconds=61)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


def test_an_answer_lost_together_with_all_later_ones_is_found_under_its_key(world: World) -> None:
    ada = world.customer()
    world.stripe.fail("answer_lost", CREATE)
    world.stripe.fail("unavailable", "payment_intents.list")
    order = world.run(world.place(ada, purchase()))
    assert (order.status, order.next_step, world.charged(ada)) == ("open", "collect_payment", [119_00])
    world.stripe.calm()
    assert world.go_on(order.id).status is OrderStatus.COMPLETED
    assert (world.attempts(order.id), world.charged(ada)) == ([(1, "succeeded", 119_00)], [119_00])


def test_an_attempt_goes_to_its_own_card_although_another_was_given_before_it_is_tried_again(world: World) -> None:
    ada = world.customer()
    world.stripe.fail("unavailable", CREATE)
    order_id = world.run(world.place(ada, purchase())).id
    world.give_card(ada, "pm_card_mastercard")
    world.stripe.calm()
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    [card] = world.rows(PaymentMethod, account_id=ada.account_id, brand="visa")
    assert [row.payment_method_id for row in world.rows(ChargeAttempt, order_id=order_id)] == [card.id]
    assert [intent["payment_method"] for intent in world.intents(ada)] == [card.ref]


def test_a_charge_that_is_refused_without_a_code_ends_its_order_with_a_reason_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Refused("no")

    monkeypatch.setattr(type(world.wiring.payments), "charge", refuse)
    order = world.buy(world.customer(), purchase())
    assert (order.status, order.reason) == (OrderStatus.REJECTED, "payment-refused")
    assert world.attempts(order.id) == [(1, "void", 119_00)]


@pytest.mark.parametrize("days", [0, 2])
def test_a_charge_whose_bank_takes_its_time_is_asked_about_after_a_while_and_goes_on_however_long_that_takes(
    world: World, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """Nobody is asked to authenticate it, so it has no time limit."""
    ada = world.customer()
    ask = charge_calls.request_charge
    monkeypatch.setattr(
        charge_calls, "request_charge", lambda *asked: replace(ask(*asked), status=ChargeStatus.PROCESSING)
    )
    order_id = world.run(world.place(ada, purchase())).id
    assert world.attempts(order_id) == [(1, "processing", 119_00)]
    assert world.deliver(order_id, Step.COLLECT_PAYMENT) == "held_by_another"
    assert world.wakes_in(order_id) > 20
    monkeypatch.undo()
    world.pass_time(days=days, hours=2)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "succeeded", 119_00)], [119_00])


def test_asking_again_for_a_charge_changes_nothing_about_when_others_were_asked_for(world: World) -> None:
    ada, bob = world.customer(card=DECLINES), world.customer(card=DECLINES)
    adas, bobs = (world.buy(each, purchase()).id for each in (ada, bob))
    first, second, again = (world.time + timedelta(minutes=minutes) for minutes in (0, 5, 10))
    world.time = second
    for customer, order_id in ((bob, bobs), (ada, adas)):
        world.give_card(customer)
        world.pay_again(order_id)
        if customer is ada:
            world.stripe.fail("unavailable", CREATE)
        world.run(order_id)
    world.stripe.calm()
    world.time = again
    assert world.go_on(adas).status is OrderStatus.COMPLETED
    asked = {(row.order_id, row.attempt): row.asked_at for row in world.rows(ChargeAttempt)}
    assert asked == {(adas, 1): first, (adas, 2): again, (bobs, 1): first, (bobs, 2): second}


@pytest.mark.parametrize("kind", ["hang", "hang_half_way"])
def test_a_charge_that_hangs_past_the_time_limit_is_taken_once(world: World, kind: str) -> None:
    """Also where the provider shows it meanwhile, as a charge that no bank has answered to."""
    ada = world.customer()
    order_id = hanging(world, ada, kind)
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "pending", 119_00)], [])
    world.stripe.calm()
    assert eventually(lambda: world.charged(ada) == [119_00])
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "succeeded", 119_00)], [119_00])


def test_a_card_whose_bank_is_slow_to_refuse_it_is_declined_with_the_banks_code(world: World) -> None:
    ada = world.customer(card=DECLINES)
    order_id = hanging(world, ada, "hang_half_way")
    assert world.attempts(order_id) == [(1, "pending", 119_00)]
    world.stripe.calm()
    assert eventually(lambda: world.intents(ada)[0]["last_payment_error"] is not None)
    order = world.go_on(order_id)
    assert (order.status, order.reason_facts) == (
        OrderStatus.PAYMENT_DECLINED,
        {"decline_code": "generic_decline", "attempt": 1},
    )


def test_an_order_cancelled_while_its_bank_is_slow_ends_once_the_bank_has_answered(world: World) -> None:
    ada = world.customer()
    order_id = hanging(world, ada, "hang_half_way")
    world.cancel(order_id)
    order = world.go_on(order_id)
    assert (order.status, world.attempts(order_id)) == (OrderStatus.OPEN, [(1, "pending", 119_00)])
    world.pass_time(minutes=2)
    order = world.go_on(order_id)  # the provider lets nobody cancel what a bank is asked about
    assert (order.status, world.attempts(order_id)) == (OrderStatus.OPEN, [(1, "pending", 119_00)])
    world.stripe.calm()
    assert eventually(lambda: world.charged(ada) == [119_00])
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [119_00])


def test_a_charge_that_was_made_and_never_tried_is_cancelled_before_another_is_made(world: World) -> None:
    ada = world.customer()
    world.stripe.fail("server_error_half_way", CREATE, times=1)
    order = world.run(world.place(ada, purchase()))
    assert (order.status, world.attempts(order.id)) == (OrderStatus.OPEN, [(1, "pending", 119_00)])
    [made] = world.intents(ada)
    assert (made["status"], made["latest_charge"]) == ("requires_payment_method", None)
    world.pass_time(seconds=61)
    assert world.go_on(order.id).status is OrderStatus.COMPLETED
    assert world.attempts(order.id) == [(1, "void", 119_00), (2, "succeeded", 119_00)]
    assert world.charged(ada) == [119_00]
    assert {intent["id"]: intent["status"] for intent in world.intents(ada)}[made["id"]] == "canceled"


def test_a_crash_after_that_cancellation_changes_nothing(world: World) -> None:
    ada = world.customer()
    world.stripe.fail("server_error_half_way", CREATE, times=1)
    order_id = world.run(world.place(ada, purchase())).id
    [made] = world.intents(ada)
    world.wiring.payments.cancel_charge(made["id"])
    world.pass_time(seconds=61)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "succeeded", 119_00)]
    assert world.charged(ada) == [119_00]


def test_news_of_a_charge_that_nobody_has_tried_yet_is_no_news(world: World) -> None:
    ada = world.customer()
    order_id = hanging(world, ada, "hang_half_way")
    [made] = world.intents(ada)
    assert charge_news.handle(made["id"]) == "nothing to do"
    assert world.attempts(order_id) == [(1, "pending", 119_00)]


def hanging(world: World, customer: Customer, kind: str) -> UUID:
    """An order whose charge has got no answer yet, until the stand-in's faults are cleared."""
    fault = world.stripe.fail(kind, CREATE, times=1, seconds=600)
    wiring.plug_in(replace(world.wiring, payments=world.stripe.payments(patience=0.2, read_timeout=0.2)))
    order_id = world.run(world.place(customer, purchase())).id
    wiring.plug_in(world.wiring)
    assert eventually(lambda: world.stripe.seen(fault) == 1)  # we may have given up before it was read
    assert kind != "hang_half_way" or eventually(lambda: len(world.intents(customer)) == 1)
    return order_id


def test_a_500_kept_under_the_key_is_looked_up_and_another_attempt_made_only_where_nothing_was_charged(
    world: World,
) -> None:
    ada = world.customer()
    world.stripe.fail("server_error", CREATE, times=1)
    order_id = world.place(ada, purchase())
    world.run(order_id)
    world.pass_time(seconds=61)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "succeeded", 119_00)]
    assert world.charged(ada) == [119_00]


def test_what_the_provider_began_in_a_500_and_finishes_later_is_waited_for_and_not_charged_again(world: World) -> None:
    ada = world.customer()
    world.stripe.fail("server_error_before_effect", CREATE, times=1, seconds=600)
    order_id = world.run(world.place(ada, purchase())).id
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "pending", 119_00)], [])
    assert world.wakes_in(order_id) > 20
    world.stripe.calm()
    assert eventually(lambda: world.charged(ada) == [119_00])
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "succeeded", 119_00)], [119_00])


@dataclass
class Watched:
    """Keeps since when charges were searched for."""

    payments: PaymentProvider
    since: list[datetime] = field(default_factory=list)

    def find_charges(self, *, since: datetime, **asked: Any) -> Any:
        self.since.append(since)
        return self.payments.find_charges(since=since, **asked)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.payments, name)


def test_a_charge_is_searched_for_since_its_order_was_placed_however_often_it_was_asked_for(world: World) -> None:
    ada = world.customer()
    world.stripe.fail("answer_lost", CREATE)
    world.stripe.fail("unavailable", "payment_intents.list")
    order = world.run(world.place(ada, purchase()))
    world.pass_time(minutes=5)
    world.go_on(order.id)
    world.stripe.calm()
    world.stripe.expire_keys()
    world.pass_time(hours=24)
    watched: Any = Watched(world.wiring.payments)
    wiring.plug_in(replace(world.wiring, payments=watched))
    assert world.go_on(order.id).status is OrderStatus.COMPLETED
    assert (watched.since, world.charged(ada)) == ([order.created_at], [119_00])


@pytest.mark.parametrize(("taken", "attempts"), [(True, ["succeeded"]), (False, ["void", "succeeded"])])
def test_a_charge_whose_key_has_expired_is_looked_up_before_another_is_made(
    world: World, taken: bool, attempts: list[str]
) -> None:
    ada = world.customer()
    world.stripe.fail("answer_lost" if taken else "connection_reset", CREATE)
    world.stripe.fail("unavailable", "payment_intents.list")
    order_id = world.run(world.place(ada, purchase())).id
    world.stripe.calm()
    world.stripe.expire_keys()
    world.pass_time(hours=24)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert [status for _, status, _ in world.attempts(order_id)] == attempts
    assert world.charged(ada) == [119_00]
