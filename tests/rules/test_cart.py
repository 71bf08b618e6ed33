"""Which carts may be ordered, and every reason against the others, with the facts that its answer names."""

from dataclasses import replace
from typing import Any

import pytest

from models.rules.cart import (
    MAX_LINES,
    MAX_SEATS,
    Action,
    Buyer,
    CartLine,
    HeldSubscription,
    Offer,
    SubscriptionStatus,
    refusals,
)
from models.rules.period import Interval
from models.rules.refusals import Refusal, RefusalCode

MONTH, YEAR = Interval.MONTH, Interval.YEAR
ACTIVE, TRIALING = SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING
TRIAL_ENDED, ENDED = SubscriptionStatus.TRIAL_ENDED, SubscriptionStatus.ENDED

DOCS = Offer(
    tier_ranks={"business": 3, "team": 2, "free": 1, "retired": 2},
    prices={("team", MONTH): 990, ("team", YEAR): 9900, ("business", MONTH): 1990, ("free", MONTH): 0},
    trial_days=14,
)
"""business is sold by the month only; retired is no longer sold"""
NO_LONGER = ("not-for-sale", {"product": "docs", "tier": "retired", "intervals": []})
OFFERS = {"docs": DOCS, "wiki": replace(DOCS, trial_days=None)}

BUYER = Buyer(corporate=False, is_billing_contact=True, billing_contacts=("Anna",))
PURCHASE = CartLine(Action.PURCHASE, "docs", "team", 5, MONTH)
TRIAL = CartLine(Action.TRIAL, "docs", "team", 5)
HELD = HeldSubscription(ACTIVE, "team", 2, 5, MONTH, assigned=3, most_recent=("Cem", "Bea", "Ada"))
ON_TRIAL = replace(HELD, status=TRIALING, interval=None)


def change(tier: str | None = None, seats: int | None = None, interval: Interval | None = None) -> CartLine:
    return CartLine(Action.CHANGE, "docs", tier, seats, interval)


def having(held: HeldSubscription | None, *, trials_used: frozenset[str] = frozenset()) -> Buyer:
    return replace(BUYER, held={"docs": held} if held else {}, trials_used=trials_used)


def reasons(line: CartLine, buyer: Buyer = BUYER) -> list[tuple[str, dict[str, Any]]]:
    found = refusals([line], buyer, OFFERS)
    assert all(refusal.line == 0 for refusal in found)
    return [(refusal.code.value, dict(refusal.facts)) for refusal in found]


def codes(line: CartLine, buyer: Buyer = BUYER) -> list[str]:
    return [code for code, _ in reasons(line, buyer)]


def test_who_may_not_order_hears_only_that() -> None:
    somebody = replace(BUYER, is_billing_contact=False, corporate=True, billing_contacts=tuple("ABCDEFGHIJKL"))
    assert refusals([], somebody, OFFERS) == [
        Refusal(RefusalCode.NOT_A_BILLING_CONTACT, None, {"billing_contacts": list("ABCDEFGHIJ")})
    ]
    assert refusals([], replace(BUYER, corporate=True), OFFERS) == [Refusal(RefusalCode.CORPORATE_ACCOUNT)]


def test_a_cart_holds_1_to_50_lines() -> None:
    offers = {f"p{number}": DOCS for number in range(MAX_LINES + 1)}
    cart = [replace(PURCHASE, product=product) for product in offers]
    assert MAX_LINES == 50
    assert refusals([], BUYER, offers) == [Refusal(RefusalCode.EMPTY_CART)]
    assert refusals(cart[:50], BUYER, offers) == []
    assert refusals(cart, BUYER, offers) == [Refusal(RefusalCode.TOO_MANY_LINES, facts={"most": 50})]


def test_a_product_is_on_one_line_and_every_further_line_is_told() -> None:
    cart = [PURCHASE, replace(PURCHASE, product="wiki"), TRIAL, PURCHASE]
    assert refusals(cart, BUYER, OFFERS) == [
        Refusal(RefusalCode.PRODUCT_TWICE, index, {"product": "docs"}) for index in (2, 3)
    ]


def test_every_line_has_its_own_reasons() -> None:
    cart = [replace(PURCHASE, seats=0), replace(TRIAL, product="wiki"), replace(PURCHASE, product="chat")]
    assert refusals(cart, BUYER, OFFERS) == [
        Refusal(RefusalCode.SEATS_OUT_OF_RANGE, 0, {"seats": 0, "most": MAX_SEATS}),
        Refusal(RefusalCode.NO_TRIAL_OFFERED, 1, {"product": "wiki"}),
        Refusal(RefusalCode.UNKNOWN_PRODUCT, 2, {"product": "chat"}),
    ]


@pytest.mark.parametrize("line", [PURCHASE, TRIAL, change(seats=7)])
def test_an_unknown_tier_is_answered_with_those_for_sale_the_lowest_first(line: CartLine) -> None:
    told = {"product": "docs", "tier": "gold", "tiers": ["free", "team", "business"]}
    assert reasons(replace(line, tier="gold"), having(HELD)) == [("unknown-tier", told)]


@pytest.mark.parametrize("line", [PURCHASE, TRIAL])
def test_a_purchase_and_a_trial_name_their_tier_and_seats(line: CartLine) -> None:
    assert codes(replace(line, tier=None)) == ["unknown-tier"]
    assert reasons(replace(line, seats=None)) == [("seats-out-of-range", {"seats": None, "most": 1_000_000})]


@pytest.mark.parametrize(
    ("seats", "refused"),
    [(-1, True), (0, True), (1, False), (1_000_000, False), (1_000_001, True)],
)
def test_seats_are_1_to_a_million(seats: int, refused: bool) -> None:
    expected = [("seats-out-of-range", {"seats": seats, "most": 1_000_000})] if refused else []
    assert reasons(replace(PURCHASE, seats=seats)) == expected
    assert reasons(change(seats=seats), having(replace(HELD, assigned=0))) == expected


@pytest.mark.parametrize(
    ("held", "refused"),
    [
        (None, []),
        (HELD, ["already-subscribed"]),
        (replace(HELD, period_over=True), []),
        (ON_TRIAL, []),
        (replace(ON_TRIAL, status=TRIAL_ENDED), []),
        (replace(HELD, status=ENDED), []),
    ],
)
def test_what_runs_is_changed_and_not_bought_again(held: HeldSubscription | None, refused: list[str]) -> None:
    assert codes(PURCHASE, having(held)) == refused


def test_a_purchase_names_its_interval_and_needs_a_price_for_it() -> None:
    assert reasons(replace(PURCHASE, interval=None)) == [("interval-missing", {})]
    told = {"product": "docs", "tier": "business", "interval": "year", "intervals": ["month"]}
    assert reasons(replace(PURCHASE, tier="business", interval=YEAR)) == [("not-for-sale", told)]
    assert reasons(replace(PURCHASE, tier="retired")) == [NO_LONGER]
    assert codes(replace(PURCHASE, tier="free")) == []


@pytest.mark.parametrize("line", [PURCHASE, TRIAL])
def test_users_keep_their_seats_when_a_trial_ends(line: CartLine) -> None:
    buyer = having(replace(ON_TRIAL, status=TRIAL_ENDED))
    assert codes(replace(line, seats=3), buyer) == []
    assert codes(replace(line, seats=2), buyer) == ["seats-below-assigned"]


def test_a_product_has_one_trial() -> None:
    assert codes(TRIAL) == []
    assert reasons(TRIAL, having(None, trials_used=frozenset({"docs"}))) == [("trial-used", {"product": "docs"})]
    assert codes(TRIAL, having(None, trials_used=frozenset({"wiki"}))) == []
    assert codes(PURCHASE, having(None, trials_used=frozenset({"docs"}))) == []


@pytest.mark.parametrize(
    ("status", "refused"), [(ACTIVE, True), (TRIALING, True), (TRIAL_ENDED, False), (ENDED, False)]
)
def test_what_runs_is_not_tried(status: SubscriptionStatus, refused: bool) -> None:
    expected = [("already-subscribed", {"product": "docs"})] if refused else []
    assert reasons(TRIAL, having(replace(ON_TRIAL, status=status))) == expected


def test_a_trial_has_no_interval_and_is_of_a_tier_that_can_be_bought() -> None:
    assert reasons(replace(TRIAL, interval=MONTH)) == [("interval-on-trial", {})]
    assert codes(replace(TRIAL, tier="business")) == []  # by the month only
    assert reasons(replace(TRIAL, tier="retired")) == [NO_LONGER]


@pytest.mark.parametrize(
    ("held", "code"),
    [
        (None, "not-subscribed"),
        (replace(HELD, status=ENDED), "not-subscribed"),
        (replace(ON_TRIAL, status=TRIAL_ENDED), "trial-ended"),
        (replace(ON_TRIAL, period_over=True), "trial-ended"),
        (replace(HELD, period_over=True), "period-over"),
    ],
)
def test_only_what_runs_is_changed(held: HeldSubscription | None, code: str) -> None:
    assert reasons(change(seats=7), having(held)) == [(code, {"product": "docs"})]


@pytest.mark.parametrize("line", [change(), change("free"), change("business"), change(seats=1), change(seats=7)])
def test_what_the_bank_has_taken_back_is_not_credited_by_any_change(line: CartLine) -> None:
    assert reasons(line, having(replace(HELD, taken_back=True))) == [("payment-disputed", {"product": "docs"})]


@pytest.mark.parametrize("line", [change(), change("team", 5, MONTH), change(seats=5)])
def test_a_change_changes_something(line: CartLine) -> None:
    assert reasons(line, having(HELD)) == [("nothing-changes", {})]


@pytest.mark.parametrize("line", [change("business"), change(seats=4), change(interval=YEAR), change("team", 6, YEAR)])
def test_tier_seats_and_interval_change_alone_or_together(line: CartLine) -> None:
    assert codes(line, having(HELD)) == []


def test_a_lower_tier_is_refused_whatever_it_costs() -> None:
    told = {"product": "docs", "from_tier": "team", "to_tier": "free"}
    assert reasons(change("free"), having(HELD)) == [("lower-tier", told)]
    assert codes(change("team"), having(replace(HELD, tier="retired"))) == []  # of the same rank


def test_seats_never_fall_below_those_assigned() -> None:
    assert codes(change(seats=3), having(HELD)) == []
    told = {"seats": 1, "must_unassign": 2, "most_recent": ["Cem", "Bea"]}
    assert reasons(change(seats=1), having(HELD)) == [("seats-below-assigned", told)]


def test_of_very_many_users_ten_are_named() -> None:
    crowded = replace(HELD, seats=50, assigned=30, most_recent=tuple("ABCDEFGHIJKL"))
    told = {"seats": 10, "must_unassign": 20, "most_recent": list("ABCDEFGHIJ")}
    assert reasons(change(seats=10), having(crowded)) == [("seats-below-assigned", told)]


def test_a_change_is_to_what_is_sold() -> None:
    assert codes(change("business", interval=YEAR), having(HELD)) == ["not-for-sale"]
    assert reasons(change(seats=6), having(replace(HELD, tier="retired"))) == [NO_LONGER]


def test_a_trial_that_runs_goes_on_even_if_its_tier_is_retired() -> None:
    retired = replace(ON_TRIAL, tier="retired")
    assert codes(change(seats=6), having(retired)) == []
    assert codes(change("team"), having(retired)) == []
    assert reasons(change("retired"), having(ON_TRIAL)) == [NO_LONGER]


def test_every_reason_against_a_change_is_told() -> None:
    assert codes(change("free", 2, YEAR), having(HELD)) == ["lower-tier", "seats-below-assigned", "not-for-sale"]
    assert codes(change("free", 2, YEAR), having(ON_TRIAL)) == [
        "interval-on-trial",
        "lower-tier",
        "seats-below-assigned",
    ]
    assert codes(change(interval=MONTH), having(ON_TRIAL)) == ["interval-on-trial"]
