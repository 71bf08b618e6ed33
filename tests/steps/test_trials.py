"""Rule 6: a trial is free, once per product and account, ends by itself, and becomes a subscription by purchase."""

from datetime import UTC, datetime, timedelta

import pytest

from models.rules.cart import SubscriptionStatus
from models.rules.refusals import RefusalCode
from models.states import OrderStatus, Step
from models.subscriptions import SubscriptionPeriod
from tasks import sweep
from tests.support.world import MONTH, YEAR, World, change, purchase, trial


def test_a_trial_needs_no_payment_and_is_welcomed(world: World) -> None:
    ada = world.customer(card=None)
    order = world.buy(ada, trial("desk", "team", 5))
    held = world.subscription(ada, "desk")
    assert (order.status, order.total_minor, order.payment_kind) == (OrderStatus.COMPLETED, 0, "nothing_due")
    assert (held.status, held.interval, held.seats) == (SubscriptionStatus.TRIALING, None, 5)
    assert held.period_end == world.time + timedelta(days=14)
    assert world.letters(order.id) == ["seat_prompt", "trial_welcome"]


def test_there_is_one_trial_per_product_and_account(world: World) -> None:
    ada = world.customer()
    world.buy(ada, trial("desk"))
    assert [r.code for r in world.refused(ada, trial("desk"))] == [RefusalCode.TRIAL_USED]
    assert world.buy(ada, trial("chat")).status is OrderStatus.COMPLETED
    assert world.buy(world.customer(), trial("desk")).status is OrderStatus.COMPLETED


def test_a_trial_ends_by_itself_without_a_charge(world: World) -> None:
    ada = world.customer()
    world.buy(ada, trial("desk"))
    world.pass_time(days=13, hours=23)
    sweep.sweep()
    assert world.subscription(ada, "desk").status is SubscriptionStatus.TRIALING
    world.pass_time(hours=1)
    sweep.sweep()
    assert world.subscription(ada, "desk").status is SubscriptionStatus.TRIAL_ENDED
    assert world.charged(ada) == []


def test_an_ended_trial_cannot_be_edited_only_subscribed(world: World) -> None:
    ada = world.customer()
    world.buy(ada, trial("desk"))
    world.pass_time(days=14)
    assert [r.code for r in world.refused(ada, change(seats=7))] == [RefusalCode.TRIAL_ENDED]
    sweep.sweep()
    assert [r.code for r in world.refused(ada, change(seats=7))] == [RefusalCode.TRIAL_ENDED]
    assert world.buy(ada, purchase(seats=7)).status is OrderStatus.COMPLETED
    assert world.subscription(ada, "desk").status is SubscriptionStatus.ACTIVE


def test_a_trial_with_an_open_order_is_not_ended_under_it(world: World) -> None:
    ada = world.customer()
    world.buy(ada, trial("desk"))
    world.pass_time(days=13, hours=23)
    order_id = world.place(ada, purchase(seats=5))
    world.pass_time(hours=1)
    sweep.sweep()
    assert world.subscription(ada, "desk").status is SubscriptionStatus.TRIALING
    assert world.run(order_id).status is OrderStatus.COMPLETED


def test_an_open_order_on_another_product_or_of_another_account_holds_up_the_end_of_no_trial(world: World) -> None:
    ada, bob = world.customer(card=None), world.customer(card=None)
    world.buy(ada, trial("desk"))
    assert world.buy(ada, purchase("chat")).status is OrderStatus.AWAITING_PAYMENT_DETAILS
    assert world.buy(bob, purchase("desk")).status is OrderStatus.AWAITING_PAYMENT_DETAILS
    world.pass_time(days=14)
    sweep.sweep()
    assert world.subscription(ada, "desk").status is SubscriptionStatus.TRIAL_ENDED


def test_a_running_trial_is_edited_for_free_and_ends_when_it_would_have(world: World) -> None:
    ada = world.customer(card=None)
    world.buy(ada, trial("desk", "team", 5))
    end = world.subscription(ada, "desk").period_end
    world.pass_time(days=3)
    order = world.buy(ada, change(tier="business", seats=9))
    held = world.subscription(ada, "desk")
    assert (order.status, order.total_minor) == (OrderStatus.COMPLETED, 0)
    assert (held.tier_code, held.seats, held.status, held.period_end) == ("business", 9, "trialing", end)


def test_a_tier_that_is_retired_cannot_be_tried_nor_a_trial_moved_to_it(world: World) -> None:
    """After the trial it could not be subscribed to."""
    ada = world.customer()
    world.buy(ada, trial("desk", "basic"))
    world.retire("desk", "team")
    moved = world.refused(ada, change(tier="team"))
    tried = world.refused(world.customer(), trial("desk", "team"))
    assert [(r.code, r.facts) for r in (*moved, *tried)] == [
        (RefusalCode.NOT_FOR_SALE, {"product": "desk", "tier": "team", "intervals": []})
    ] * 2


def test_a_trial_of_a_tier_that_is_retired_meanwhile_runs_on(world: World) -> None:
    ada = world.customer()
    world.buy(ada, trial("desk", "team", 5))
    world.retire("desk", "team")
    assert world.buy(ada, change(seats=7)).status is OrderStatus.COMPLETED
    assert world.subscription(ada, "desk").status is SubscriptionStatus.TRIALING
    assert world.buy(ada, change(tier="business")).status is OrderStatus.COMPLETED


def test_a_running_trial_has_no_frequency(world: World) -> None:
    ada = world.customer()
    world.buy(ada, trial("desk"))
    assert [r.code for r in world.refused(ada, change(interval=YEAR))] == [RefusalCode.INTERVAL_ON_TRIAL]


def test_a_frequency_for_a_trial_hides_nothing_else_that_is_wrong(world: World) -> None:
    ada = world.customer()
    world.buy(ada, trial("desk", "team", 3))
    world.assign(ada, "desk", "a@x.example", "b@x.example")
    assert [r.code for r in world.refused(ada, change(tier="basic", seats=1, interval=YEAR))] == [
        RefusalCode.INTERVAL_ON_TRIAL,
        RefusalCode.LOWER_TIER,
        RefusalCode.SEATS_BELOW_ASSIGNED,
    ]
    assert world.support_cases(ada) == [("team", "basic")]


def test_a_purchase_converts_a_running_trial_at_full_price_from_today(world: World) -> None:
    ada = world.customer()
    world.buy(ada, trial("desk", "team", 5))
    world.pass_time(days=3)
    order = world.buy(ada, purchase("desk", "team", 5))
    held = world.subscription(ada, "desk")
    assert (held.status, held.interval, held.period_start) == ("active", MONTH, world.time)
    assert (order.lines[0].unused_minor, world.charged(ada)) == (0, [59_50])


def test_a_lower_tier_may_be_bought_during_a_trial(world: World) -> None:
    ada = world.customer()
    world.buy(ada, trial("desk", "team", 5))
    assert [r.code for r in world.refused(ada, change(tier="basic"))] == [RefusalCode.LOWER_TIER]
    assert world.buy(ada, purchase("desk", "basic", 5)).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [29_75]


def test_a_day_of_a_trial_is_24_hours_whatever_the_clock_does(world: World) -> None:
    ada = world.customer(timezone="Europe/Berlin")
    world.time = datetime(2027, 3, 20, 9, tzinfo=UTC)  # summer time begins on the 28th
    world.buy(ada, trial("desk"))
    assert world.subscription(ada, "desk").period_end == datetime(2027, 4, 3, 9, tzinfo=UTC)


@pytest.mark.parametrize("stands_at", [Step.SEND_CONFIRMATION_EMAIL, Step.PROMPT_SEAT_ASSIGNMENT])
def test_nobody_is_written_to_about_a_trial_that_has_ended_before_its_letters(world: World, stands_at: Step) -> None:
    ada = world.customer()
    order_id = world.place(ada, trial("desk"))
    world.run(order_id, until=stands_at)
    before = world.letters(order_id)
    world.pass_time(days=14)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.letters(order_id) == before


def test_what_was_bought_with_a_trial_that_has_ended_is_confirmed_and_its_seats_asked_for(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, trial("desk"), purchase("chat", "team", 3))
    world.run(order_id, until=Step.SEND_CONFIRMATION_EMAIL)
    world.pass_time(days=14)
    world.run(order_id)
    assert world.letters(order_id) == ["confirmation", "seat_prompt"]
    assert world.mails(ada)[-1] == "3 seats are ready to be assigned"


def test_a_converted_trial_prompts_only_where_seats_rose(world: World) -> None:
    ada, bob = world.customer(), world.customer()
    world.buy(ada, trial("desk", "team", 5))
    world.buy(bob, trial("desk", "team", 5))
    assert world.letters(world.buy(ada, purchase(seats=5)).id) == ["confirmation"]
    assert world.letters(world.buy(bob, purchase(seats=6)).id) == ["confirmation", "seat_prompt"]


def test_users_of_an_ended_trial_must_fit_the_seats_that_are_bought(world: World) -> None:
    ada = world.customer()
    world.buy(ada, trial("desk", "team", 3))
    world.assign(ada, "desk", "a@x.example", "b@x.example")
    world.pass_time(days=14)
    sweep.sweep()
    [refusal] = world.refused(ada, purchase(seats=1))
    assert (refusal.code, refusal.facts["must_unassign"]) == (RefusalCode.SEATS_BELOW_ASSIGNED, 1)


def test_a_trial_leaves_one_closed_period_and_no_charge_behind(world: World) -> None:
    ada = world.customer()
    world.buy(ada, trial("desk", "team", 5))
    world.buy(ada, purchase("desk", "team", 5))
    held = world.subscription(ada, "desk")
    periods = world.rows(SubscriptionPeriod, subscription_id=held.id)
    assert sorted((p.charged_minor, p.closed_at is None) for p in periods) == [(0, False), (50_00, True)]
