"""Rules 1 and 2, and every refusal of a cart: when a quote is asked for, and in the steps where the world has changed since."""

from datetime import timedelta

import pytest

from models.accounts import AccountKind, Contact
from models.catalogue import CatalogueVersion, Product, Tier
from models.rules.cart import MAX_LINES, CartLine, SubscriptionStatus
from models.rules.refusals import RefusalCode
from models.states import OrderStatus
from tasks import sweep
from tasks.upstream import seats
from tests.support.world import MONTH, YEAR, Customer, World, change, purchase, trial

C = RefusalCode


def add_contact(world: World, customer: Customer) -> Contact:
    with world.begin() as session:
        eve = Contact(account_id=customer.account_id, name="Eve", email="eve@customer.example")
        session.add(eve)
    return eve


def test_only_a_billing_contact_orders_and_others_learn_who_the_contacts_are(world: World) -> None:
    ada = world.customer()
    [refusal] = world.refused(ada, contact_id=add_contact(world, ada).id)
    assert refusal.code is C.NOT_A_BILLING_CONTACT
    assert refusal.facts == {"billing_contacts": [f"Ada Byron <{ada.email}>"]}


def test_somebody_of_another_account_is_no_billing_contact(world: World) -> None:
    ada, bob = world.customer(), world.customer()
    [refusal] = world.refused(ada, purchase(), contact_id=bob.contact_id)
    assert refusal.code is C.NOT_A_BILLING_CONTACT


def test_a_corporate_account_is_refused_whatever_it_asks(world: World) -> None:
    ada = world.customer(kind=AccountKind.CORPORATE)
    assert [r.code for r in world.refused(ada, purchase(tier="none"))] == [C.CORPORATE_ACCOUNT]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (purchase("mail"), C.UNKNOWN_PRODUCT),
        (purchase(tier="gold"), C.UNKNOWN_TIER),
        (purchase(seats=0), C.SEATS_OUT_OF_RANGE),
        (purchase(seats=1_000_001), C.SEATS_OUT_OF_RANGE),
        (CartLine(purchase().action, "desk", None, 5, MONTH), C.UNKNOWN_TIER),
        (CartLine(purchase().action, "desk", "team", None, MONTH), C.SEATS_OUT_OF_RANGE),
        (CartLine(purchase().action, "desk", "team", 5, None), C.INTERVAL_MISSING),
        (CartLine(trial().action, "desk", None, 5), C.UNKNOWN_TIER),
        (CartLine(trial().action, "desk", "team", None), C.SEATS_OUT_OF_RANGE),
        (CartLine(trial().action, "desk", "team", 5, YEAR), C.INTERVAL_ON_TRIAL),
        (trial("wiki"), C.NO_TRIAL_OFFERED),
        (change(seats=5), C.NOT_SUBSCRIBED),
    ],
    ids=lambda value: str(value) if isinstance(value, RefusalCode) else "",
)
def test_a_line_that_cannot_be_had_is_refused_with_its_position(world: World, line: CartLine, code: C) -> None:
    found = world.refused(world.customer(), purchase("chat"), line)
    assert [(r.code, r.line) for r in found] == [(code, 1)]


def test_a_tier_without_a_price_in_the_accounts_currency_is_not_for_sale(world: World) -> None:
    [refusal] = world.refused(world.customer(country="SE", currency="SEK"), purchase())
    assert (refusal.code, refusal.facts) == (C.NOT_FOR_SALE, {"product": "desk", "tier": "team", "intervals": []})


def test_a_tier_that_is_unknown_is_answered_with_those_that_this_account_can_buy(world: World) -> None:
    ada = world.customer()
    [refusal] = world.refused(ada, purchase(tier="gold"))
    assert refusal.facts == {"product": "desk", "tier": "gold", "tiers": ["basic", "team", "business"]}
    world.retire("desk", "team")
    [refusal] = world.refused(ada, purchase(tier="gold"))
    assert refusal.facts["tiers"] == ["basic", "business"]
    [refusal] = world.refused(world.customer(country="SE", currency="SEK"), purchase(tier="gold"))
    assert refusal.facts["tiers"] == []


def test_a_cart_has_between_one_and_fifty_lines(world: World) -> None:
    ada = world.customer()
    assert [r.code for r in world.refused(ada)] == [C.EMPTY_CART]
    assert [r.code for r in world.refused(ada, *[purchase()] * (MAX_LINES + 1))] == [C.TOO_MANY_LINES]


def test_a_product_has_one_line_in_a_cart(world: World) -> None:
    [refusal] = world.refused(world.customer(), purchase(), purchase("chat"), trial())
    assert (refusal.code, refusal.line) == (C.PRODUCT_TWICE, 2)


def test_every_line_that_is_refused_is_named_at_once(world: World) -> None:
    found = world.refused(world.customer(), purchase("mail"), change("chat", seats=1), purchase(seats=0))
    assert [(r.code, r.line) for r in found] == [
        (C.UNKNOWN_PRODUCT, 0),
        (C.NOT_SUBSCRIBED, 1),
        (C.SEATS_OUT_OF_RANGE, 2),
    ]


def test_what_is_subscribed_is_changed_and_not_bought_or_tried_again(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    assert [r.code for r in world.refused(ada, purchase())] == [C.ALREADY_SUBSCRIBED]
    assert [r.code for r in world.refused(ada, trial())] == [C.ALREADY_SUBSCRIBED]
    assert [r.code for r in world.refused(ada, change(tier="team", seats=10, interval=MONTH))] == [C.NOTHING_CHANGES]


def test_a_period_that_is_over_cannot_be_changed_but_the_product_bought_anew(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    world.pass_time(days=30)
    assert [r.code for r in world.refused(ada, change(seats=20))] == [C.PERIOD_OVER]
    assert [r.code for r in world.refused(ada, trial())] == [C.ALREADY_SUBSCRIBED]
    assert world.buy(ada, purchase(seats=3)).status is OrderStatus.COMPLETED
    assert world.subscription(ada, "desk").period_start == world.time


def test_seats_of_a_period_that_is_over_stay_usable(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase(seats=2))
    world.pass_time(days=400)
    sweep.sweep()
    desk = world.subscription(ada, "desk")
    assert desk.status is SubscriptionStatus.ACTIVE
    with world.begin() as session:
        given = seats.assign(session, subscription_id=desk.id, email="a@x.example", now=world.time)
    assert given is seats.SeatResult.ASSIGNED


def test_a_vat_number_that_cannot_be_one_is_refused(world: World) -> None:
    [refusal] = world.refused(world.customer(country="FR", vat_number="FR12345678901"), purchase())
    assert (refusal.code, refusal.line) == (C.VAT_NUMBER_INVALID, None)


# What was so for the quote, and is not any more when the order runs


def rejected(world: World, customer: Customer, order_id: object) -> list[str]:
    order = world.run(order_id)  # type: ignore[arg-type]
    assert order.status is OrderStatus.REJECTED
    assert world.charged(customer) == []
    assert world.mails(customer) == []
    return [str(reason["code"]) for reason in (order.reason_facts or {})["refusals"]]


def test_a_contact_who_is_no_billing_contact_any_more_is_rejected_in_the_first_step(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    with world.begin() as session:
        session.get_one(Contact, ada.contact_id).is_billing_contact = False
    assert rejected(world, ada, order_id) == [C.NOT_A_BILLING_CONTACT]
    assert world.order(order_id).reason == "not-a-billing-contact"


def test_an_account_that_became_corporate_is_rejected_in_the_first_step(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.change_account(ada, kind=AccountKind.CORPORATE)
    assert rejected(world, ada, order_id) == [C.CORPORATE_ACCOUNT]


def test_a_tier_that_fell_below_the_held_one_is_rejected_and_support_gets_one_case(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase(tier="team"))
    order_id = world.place(ada, change(tier="business"))
    with world.begin() as session:
        session.get_one(Tier, ("desk", "business")).rank = -1
        session.add(CatalogueVersion(effective_from=world.time + timedelta(days=365), checksum="ranks"))
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.REJECTED, "lower-tier")
    assert world.support_cases(ada) == [("team", "business")]
    assert world.charged(ada) == [119_00]


def test_a_trial_that_is_not_offered_any_more_is_rejected(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, trial())
    with world.begin() as session:
        session.get_one(Product, "desk").trial_days = None
        session.add(CatalogueVersion(effective_from=world.time + timedelta(days=365), checksum="no trial"))
    assert rejected(world, ada, order_id) == [C.NO_TRIAL_OFFERED]


def test_a_rejected_order_holds_its_products_no_longer(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, trial())
    world.change_account(ada, kind=AccountKind.CORPORATE)
    rejected(world, ada, order_id)
    world.change_account(ada, kind=AccountKind.SELF_SERVE)
    assert world.buy(ada, trial()).status is OrderStatus.COMPLETED
