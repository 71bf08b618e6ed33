"""Rules 3, 4, 5 and 10: what may be changed, at once, and every cent of it. November has 30 days; the plan is 10.00 a seat."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text

from models.invoices import Invoice
from models.rules.cart import CartLine
from models.rules.refusals import RefusalCode
from models.rules.timezone import NaiveDatetime
from models.states import OrderStatus, Step
from models.subscriptions import SubscriptionPeriod
from tasks.errors import TemporarilyUnavailable
from tasks.upstream import seats
from tests.support.world import MONTH, YEAR, Customer, World, change, purchase


@pytest.fixture
def ada(world: World) -> Customer:
    """Holds Desk team, 10 seats by the month (100.00 + 19.00 VAT), a third of it used: 66.67 + 12.67 VAT are unused."""
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", 10))
    world.pass_time(days=10)
    return ada


@pytest.mark.parametrize(
    ("line", "plan", "net", "tax"),
    [
        (change(seats=20), ("team", 20, MONTH), 200_00 - 66_67, 38_00 - 12_67),
        (change(tier="business"), ("business", 10, MONTH), 200_00 - 66_67, 38_00 - 12_67),
        (change(interval=YEAR), ("team", 10, YEAR), 1000_00 - 66_67, 190_00 - 12_67),
        (change(tier="business", seats=12), ("business", 12, MONTH), 240_00 - 66_67, 45_60 - 12_67),
        (change(tier="business", interval=YEAR), ("business", 10, YEAR), 2000_00 - 66_67, 380_00 - 12_67),
        (change(seats=11, interval=YEAR), ("team", 11, YEAR), 1100_00 - 66_67, 209_00 - 12_67),
        (change(tier="business", seats=8, interval=YEAR), ("business", 8, YEAR), 1600_00 - 66_67, 304_00 - 12_67),
    ],
    ids=["seats", "tier", "frequency", "tier+seats", "tier+frequency", "seats+frequency", "all three"],
)
def test_tier_seats_and_frequency_change_together_or_alone_at_once(
    world: World, ada: Customer, line: CartLine, plan: tuple[str, int, str], net: int, tax: int
) -> None:
    order = world.buy(ada, line)
    held = world.subscription(ada, "desk")
    assert (held.tier_code, held.seats, held.interval) == plan
    assert (order.net_minor, order.tax_minor, order.due_minor) == (net, tax, net + tax)
    assert world.charged(ada) == [119_00, net + tax]
    assert held.period_start == world.time


@pytest.mark.parametrize("seconds", [1, 2])
def test_a_change_on_a_host_whose_clock_is_behind_counts_from_the_period_s_start(world: World, seconds: int) -> None:
    """All of the period is credited, as it has just begun."""
    eve = world.customer()
    world.buy(eve, purchase("desk", "team", 10))
    began = world.time
    world.time -= timedelta(seconds=seconds)
    quote = world.quote(eve, change(seats=20))
    assert (quote.as_of, quote.net_minor, quote.tax_minor) == (began, 100_00, 19_00)
    order = world.buy(eve, change(seats=20))
    assert (order.status, order.as_of, order.due_minor) == (OrderStatus.COMPLETED, began, 119_00)
    assert world.charged(eve) == [119_00, 119_00]


def test_a_change_of_what_begins_later_than_clocks_may_differ_has_to_wait(world: World) -> None:
    eve = world.customer()
    world.buy(eve, purchase("desk", "team", 10))
    world.time -= timedelta(seconds=3)
    with pytest.raises(TemporarilyUnavailable, match="in the future: the clock of an API was ahead") as refused:
        world.quote(eve, change(seats=20))
    assert refused.value.retry_after == 3


def test_a_change_starts_a_new_period_today_and_the_renewal_date_moves(world: World, ada: Customer) -> None:
    assert world.subscription(ada, "desk").period_end == datetime(2026, 12, 1, 9, tzinfo=UTC)
    world.buy(ada, change(seats=20))
    held = world.subscription(ada, "desk")
    assert (held.period_start, held.period_end) == (world.time, datetime(2026, 12, 11, 9, tzinfo=UTC))
    assert held.anchor_day == 11


def test_the_period_before_is_closed_as_of_the_quote_however_slow_the_order_is(world: World, ada: Customer) -> None:
    quoted_at = world.time
    order_id = world.place(ada, change(seats=20))
    world.pass_time(hours=5)
    world.run(order_id)
    periods = world.rows(SubscriptionPeriod, subscription_id=world.subscription(ada, "desk").id)
    assert {(each.starts_at, each.closed_at) for each in periods} == {
        (quoted_at - timedelta(days=10), quoted_at),
        (quoted_at, None),
    }


def test_each_line_of_an_order_knows_its_own_subscription(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase("wiki"), purchase("desk"), purchase("chat"))
    held = {each: world.subscription(ada, each).id for each in ("wiki", "desk", "chat")}
    assert {line.product_code: line.subscription_id for line in order.lines} == held


def test_the_31st_is_remembered_through_short_months(world: World) -> None:
    ada = world.customer()
    world.time = datetime(2027, 1, 31, 9, tzinfo=UTC)
    world.buy(ada, purchase())
    held = world.subscription(ada, "desk")
    assert (held.period_end, held.anchor_day) == (datetime(2027, 2, 28, 9, tzinfo=UTC), 31)


def test_an_order_takes_effect_at_a_whole_second_whatever_clock_its_caller_has(world: World) -> None:
    ada = world.customer()
    world.time = datetime(2026, 11, 1, 10, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    order = world.buy(ada, purchase())
    nine = datetime(2026, 11, 1, 9, tzinfo=UTC)
    assert (order.status, order.as_of) == (OrderStatus.COMPLETED, nine)
    assert world.subscription(ada, "desk").period_start == nine


def test_a_period_that_began_within_a_second_is_changed_to_the_microsecond(world: World, ada: Customer) -> None:
    with world.begin() as session:
        later = "= {0} + interval '0.123456 seconds'"
        for table, columns in (
            ("subscriptions", ("period_start", "period_end")),
            ("subscription_periods", ("starts_at", "ends_at")),
        ):
            moved = ", ".join(f"{column} {later.format(column)}" for column in columns)
            session.execute(text(f"update {table} set {moved}"))
    order = world.buy(ada, change(seats=20))
    (line,) = order.lines
    assert (order.status, line.unused_minor) == (OrderStatus.COMPLETED, 66_67)
    assert (line.share_left, line.share_whole, line.share_unit) == (1_728_000_123_456, 2_592_000_000_000, "microsecond")
    assert len(world.rows(Invoice)) == 2


def test_a_time_without_a_zone_is_refused_in_words(world: World, ada: Customer) -> None:
    world.time = world.time.replace(tzinfo=None)
    with pytest.raises(NaiveDatetime, match="now 2026-11-11T09:00:00 has no time zone; give an aware datetime"):
        world.quote(ada, change(seats=20))


def test_a_second_change_credits_what_the_first_one_charged(world: World, ada: Customer) -> None:
    world.buy(ada, change(seats=20))
    world.pass_time(days=15)
    order = world.buy(ada, change(seats=40))
    assert order.lines[0].unused_minor == 100_00
    assert order.net_minor == 300_00


def test_what_has_ended_can_be_bought_anew_from_the_very_second_of_its_end(world: World, ada: Customer) -> None:
    world.time = end = world.subscription(ada, "desk").period_end
    assert world.buy(ada, purchase("desk", "team", 10)).status is OrderStatus.COMPLETED
    assert (world.subscription(ada, "desk").period_start, world.charged(ada)) == (end, [119_00, 119_00])


def test_from_yearly_to_monthly_what_is_left_becomes_balance(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase(interval=YEAR))
    order = world.buy(ada, change(interval=MONTH))
    assert (order.due_minor, order.to_balance_minor) == (0, 900_00 + 171_00)
    assert world.balance(ada) == 1071_00
    assert world.charged(ada) == [1190_00]


def test_fewer_seats_become_balance_and_nothing_is_charged_or_paid_out(world: World, ada: Customer) -> None:
    order = world.buy(ada, change(seats=2))
    assert (order.net_minor, order.tax_minor) == (20_00 - 66_67, 3_80 - 12_67)
    assert world.balance(ada) == 46_67 + 8_87
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [])


def test_the_balance_pays_first(world: World, ada: Customer) -> None:
    world.grant(ada, 100_00)
    order = world.buy(ada, change(seats=20))
    assert (order.total_minor, order.balance_used_minor, order.due_minor) == (158_66, 100_00, 58_66)
    assert (world.charged(ada), world.balance(ada)) == ([119_00, 58_66], 0)


def test_a_balance_that_covers_all_leaves_the_card_alone(world: World, ada: Customer) -> None:
    world.grant(ada, 200_00)
    order = world.buy(ada, change(seats=20))
    assert (order.status, order.payment_kind, world.balance(ada)) == (OrderStatus.COMPLETED, "nothing_due", 41_34)
    assert world.charged(ada) == [119_00]


def test_on_a_tier_that_is_retired_nothing_changes_but_the_tier(world: World, ada: Customer) -> None:
    world.retire("desk", "team")
    for line in (change(seats=20), change(seats=5), change(interval=YEAR)):
        assert [r.code for r in world.refused(ada, line)] == [RefusalCode.NOT_FOR_SALE]
    assert world.buy(ada, change(tier="business")).status is OrderStatus.COMPLETED


def test_seats_never_fall_below_the_assigned_and_the_answer_names_who_must_go(world: World, ada: Customer) -> None:
    world.assign(ada, "desk", "a@x.example", "b@x.example", "c@x.example")
    [refusal] = world.refused(ada, change(seats=1))
    assert refusal.code is RefusalCode.SEATS_BELOW_ASSIGNED
    assert refusal.facts == {"seats": 1, "must_unassign": 2, "most_recent": ["c@x.example", "b@x.example"]}
    assert world.buy(ada, change(seats=3)).status is OrderStatus.COMPLETED


def test_of_users_assigned_within_one_second_the_later_count_as_more_recent(world: World, ada: Customer) -> None:
    held, users = world.subscription(ada, "desk"), [f"{letter}@x.example" for letter in "gbjcafhdie"]
    with world.begin() as session:
        for email in users:
            seats.assign(session, subscription_id=held.id, email=email, now=world.time)
    [refusal] = world.refused(ada, change(seats=1))
    assert refusal.facts["most_recent"] == users[:0:-1]


def test_a_lower_tier_is_refused(world: World, ada: Customer) -> None:
    [refusal] = world.refused(ada, change(tier="basic"))
    assert refusal.code is RefusalCode.LOWER_TIER
    assert refusal.facts == {"product": "desk", "from_tier": "team", "to_tier": "basic"}


def test_more_seats_do_not_make_a_lower_tier_possible(world: World, ada: Customer) -> None:
    assert [r.code for r in world.refused(ada, change(tier="basic", seats=100))] == [RefusalCode.LOWER_TIER]


def test_the_prompt_comes_only_where_seats_rose(world: World, ada: Customer) -> None:
    assert world.letters(world.buy(ada, change(interval=YEAR)).id) == ["confirmation"]
    assert world.letters(world.buy(ada, change(seats=5)).id) == ["confirmation"]
    assert world.letters(world.buy(ada, change(seats=6)).id) == ["confirmation", "seat_prompt"]


def test_no_prompt_where_the_new_seats_were_assigned_before_it_was_due(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase(seats=1))
    world.run(order_id, until=Step.PROMPT_SEAT_ASSIGNMENT)
    world.assign(ada, "desk", "a@x.example")
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.letters(order_id) == ["confirmation"]


def test_no_prompt_where_every_seat_has_its_user(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase(seats=1))
    world.assign(ada, "desk", "a@x.example")
    order_id = world.place(ada, change(seats=2))
    world.run(order_id)
    assert world.letters(order_id) == ["confirmation", "seat_prompt"]
    world.assign(ada, "desk", "b@x.example")
    assert world.letters(world.buy(ada, change(tier="business")).id) == ["confirmation"]


def test_the_prompt_counts_the_seats_that_have_no_user(world: World, ada: Customer) -> None:
    world.assign(ada, "desk", "a@x.example", "b@x.example", "c@x.example")
    world.buy(ada, change(seats=12))
    assert world.mails(ada)[-1] == "9 seats are ready to be assigned"
