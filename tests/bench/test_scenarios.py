"""What the scenarios make of the orders in the database."""

from datetime import UTC, datetime

from benchmarks.scenarios import mixed_day
from benchmarks.scenarios.mixed_day import End
from tests.bench.databases import database_url
from tests.support.world import World, purchase


def test_a_mixed_day_counts_neither_the_evening_before_nor_the_time_before_an_order_was_sent(world: World) -> None:
    evening_before = world.buy(world.customer(), purchase())
    order_id = world.place(world.customer(), purchase())
    sent = datetime.now(UTC)
    world.run(order_id)
    declined = world.buy(world.customer(card="pm_card_chargeCustomerFail"), purchase())
    paid, waits = mixed_day.ends_of(database_url(world), after=evening_before.number, sent=sent)
    by_hand = world.order(order_id).finished_at
    assert by_hand is not None
    assert (paid.status, paid.seconds) == ("completed", (by_hand - sent).total_seconds())
    assert waits == End("payment_declined", declined.reason, None)
    assert [paid.stands_still, waits.stands_still] == [False, False]


def test_an_order_that_waits_for_nobody_stands_still() -> None:
    assert End("needs_attention", "restarted_too_often", None).stands_still
    assert End("awaiting_confirmation", None, None).stands_still
