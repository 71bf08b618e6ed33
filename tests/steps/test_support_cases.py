"""Rule 5: a lower tier is for support, who find in the open case all that the customer has and wished last."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from models.accounts import Account, Contact
from models.catalogue import CatalogueVersion, Tier
from models.rules.cart import CartLine
from models.rules.refusals import RefusalCode
from models.states import OrderStatus, Step
from models.support_cases import SupportCase
from tasks.operating import support_desk, support_refund
from tests.support.waiting import until_it_waits_for
from tests.support.world import YEAR, Customer, World, change, purchase, trial


@pytest.fixture
def ada(world: World) -> Customer:
    """Holds Desk team, 10 seats by the month, from 2026-11-01 09:00 UTC."""
    ada = world.customer(name="Söhne GmbH")
    world.buy(ada, purchase("desk", "team", 10))
    return ada


def the_case(world: World) -> SupportCase:
    case: SupportCase
    [case] = world.rows(SupportCase)
    return case


def close(world: World, number: int) -> None:
    with world.begin() as session:
        support_desk.close(session, number, by="bob", why="agreed by telephone")


def test_a_case_says_what_the_customer_has_and_wishes_and_who_asked(world: World, ada: Customer) -> None:
    world.assign(ada, "desk", "a@x.example", "b@x.example")
    world.refused(ada, change(tier="basic", seats=4, interval=YEAR))
    case = the_case(world)
    assert (case.account_id, case.contact_id, case.product_code) == (ada.account_id, ada.contact_id, "desk")
    assert (case.from_tier, case.to_tier, case.seats, case.closed_at) == ("team", "basic", 10, None)
    assert case.text.splitlines() == [
        "Söhne GmbH asks to move desk to a lower tier.",
        "Has: team, 10 seats, billed per month, 2 assigned, period ends 2026-12-01 09:00 UTC",
        "Wishes: basic, 4 seats, billed per year",
        f"Asked by: Ada Byron <{ada.email}>",
    ]


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (change(tier="basic"), "basic, 10 seats, billed per month"),
        (change(tier="basic", seats=1), "basic, 1 seat, billed per month"),
        (change(tier="basic", interval=YEAR), "basic, 10 seats, billed per year"),
    ],
)
def test_what_a_wish_leaves_open_is_as_it_is_held(world: World, ada: Customer, wish: CartLine, told: str) -> None:
    world.refused(ada, wish)
    assert the_case(world).text.splitlines()[2] == f"Wishes: {told}"


def test_a_trial_has_no_frequency_but_one_that_was_wished_is_told(world: World) -> None:
    ada = world.customer()
    world.buy(ada, trial("desk", "team", 5))
    world.refused(ada, change(tier="basic"))
    assert the_case(world).text.splitlines()[1:3] == [
        "Has: team, 5 seats, on a trial, 0 assigned, period ends 2026-11-15 09:00 UTC",
        "Wishes: basic, 5 seats, on a trial",
    ]
    world.refused(ada, change(tier="basic", interval=YEAR))
    assert the_case(world).text.splitlines()[2] == "Wishes: basic, 5 seats, billed per year"


def test_a_name_cannot_pose_as_a_line_of_ours(world: World, ada: Customer) -> None:
    with world.begin() as session:
        session.get_one(Account, ada.account_id).name = "Ada\nWishes: business, 99 seats, for nothing\x1b[2J"
        session.get_one(Contact, ada.contact_id).name = "Ada\nByron"
    world.refused(ada, change(tier="basic"))
    lines = the_case(world).text.splitlines()
    assert [line.partition(":")[0] for line in lines[1:]] == ["Has", "Wishes", "Asked by"]
    assert lines[0].startswith("Ada Wishes: business, 99 seats, for nothing [2J asks to move desk")


def test_a_repeated_wish_is_the_same_case_with_what_is_so_now(world: World, ada: Customer) -> None:
    world.refused(ada, change(tier="basic", seats=3))
    first = the_case(world)
    world.pass_time(days=10)
    world.buy(ada, change(tier="business", seats=40, interval=YEAR))
    with world.begin() as session:
        bob = Contact(account_id=ada.account_id, name="Bob", email="bob@x.example", is_billing_contact=True)
        session.add(bob)
    world.refused(ada, change(tier="basic", seats=20), contact_id=bob.id)
    last = the_case(world)
    assert (last.number, last.id, last.created_at) == (first.number, first.id, first.created_at)
    assert last.asked_at > first.asked_at
    assert (last.from_tier, last.seats, last.contact_id) == ("business", 40, bob.id)
    assert last.text.splitlines()[1:] == [
        "Has: business, 40 seats, billed per year, 0 assigned, period ends 2027-11-11 09:00 UTC",
        "Wishes: basic, 20 seats, billed per year",
        "Asked by: Bob <bob@x.example>",
    ]


def test_other_tiers_other_products_and_other_accounts_are_other_wishes(world: World, ada: Customer) -> None:
    world.buy(ada, purchase("chat", "team", 5))
    world.buy(ada, change("desk", tier="business"))
    bea = world.customer()
    world.buy(bea, purchase("desk", "team", 10))
    world.refused(ada, change("desk", tier="team"), change("chat", tier="basic"))
    world.refused(ada, change("desk", tier="basic"))
    world.refused(bea, change("desk", tier="basic"))
    wishes = [(case.account_id, case.product_code, case.to_tier) for case in world.rows(SupportCase)]
    assert sorted(wishes) == sorted(
        [
            (ada.account_id, "chat", "basic"),
            (ada.account_id, "desk", "basic"),
            (ada.account_id, "desk", "team"),
            (bea.account_id, "desk", "basic"),
        ]
    )
    assert len({case.number for case in world.rows(SupportCase)}) == 4


def test_of_two_lines_for_one_product_the_last_is_the_wish(world: World, ada: Customer) -> None:
    world.refused(ada, change(tier="basic", seats=3), change(tier="basic", seats=2))
    assert the_case(world).text.splitlines()[2] == "Wishes: basic, 2 seats, billed per month"


def test_the_same_wish_after_its_case_was_closed_opens_another(world: World, ada: Customer) -> None:
    world.refused(ada, change(tier="basic", seats=3))
    closed = the_case(world)
    close(world, closed.number)
    world.refused(ada, change(tier="basic", seats=2))
    first, second = sorted(world.rows(SupportCase), key=lambda case: case.number)
    assert (first.number, first.text, first.closed_at) == (closed.number, closed.text, world.time)
    assert (first.closed_by, first.closed_why) == ("bob", "agreed by telephone")
    assert (second.closed_at, second.text.splitlines()[2]) == (None, "Wishes: basic, 2 seats, billed per month")


def test_wishes_at_the_same_moment_are_one_case(world: World, ada: Customer) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: world.refused(ada, change(tier="basic")), range(8)))
    assert world.support_cases(ada) == [("team", "basic")]


def test_a_wish_that_comes_while_its_case_is_being_closed_opens_another(world: World, ada: Customer) -> None:
    world.refused(ada, change(tier="basic", seats=3))
    number = the_case(world).number
    with ThreadPoolExecutor(1) as pool, world.begin() as session:
        support_desk.close(session, number, by="bob", why="agreed")
        wish = pool.submit(world.refused, ada, change(tier="basic", seats=2))
        until_it_waits_for(session, wish)
        assert not wish.done()
        session.commit()
        wish.result(timeout=240)
    cases = sorted(world.rows(SupportCase), key=lambda case: case.number)
    assert [case.closed_at is None for case in cases] == [False, True]
    assert [case.text.splitlines()[2].split(", ")[1] for case in cases] == ["3 seats", "2 seats"]


def test_two_carts_with_the_same_products_in_another_order_do_not_wait_for_each_other(
    world: World, ada: Customer
) -> None:
    world.buy(ada, purchase("chat", "team", 5))
    chat, desk = change("chat", tier="basic"), change("desk", tier="basic")
    carts = [(chat, desk), (desk, chat)] * 4
    for _ in range(5):
        with ThreadPoolExecutor(8) as pool:
            refusals = list(pool.map(lambda cart: world.refused(ada, *cart), carts))
        assert {refusal.code for found in refusals for refusal in found} == {RefusalCode.LOWER_TIER}
    assert len(world.rows(SupportCase)) == 2


def test_an_order_that_is_refused_as_a_lower_tier_leaves_its_wish_in_a_case(world: World, ada: Customer) -> None:
    """The catalogue has ranked the tiers anew since its quote."""
    quote = world.quote(ada, change(tier="business", seats=12))
    world.pass_time(minutes=1)
    with world.begin() as session:
        session.get_one(Tier, ("desk", "business")).rank = -1
        session.add(CatalogueVersion(effective_from=world.time + timedelta(days=365), checksum="ranks"))
    order_id = world.place_quote(ada, quote.id)
    assert world.run(order_id).status is OrderStatus.REJECTED
    world.deliver(order_id, Step.VALIDATE_CART)
    case = the_case(world)
    assert case.asked_at == case.created_at, "a second delivery asks for nothing"
    assert case.text.splitlines()[2] == "Wishes: business, 12 seats, billed per month"


def test_whoever_may_not_order_opens_no_case(world: World, ada: Customer) -> None:
    with world.begin() as session:
        session.get_one(Contact, ada.contact_id).is_billing_contact = False
    assert [r.code for r in world.refused(ada, change(tier="basic"))] == [RefusalCode.NOT_A_BILLING_CONTACT]
    assert world.rows(SupportCase) == []


def test_a_case_is_opened_by_the_clock_of_the_database(world: World, ada: Customer) -> None:
    """As its age is told: `/metrics` asks that clock, too."""
    with world.begin() as session:
        before: datetime = session.scalar(select(func.clock_timestamp()))  # type: ignore[assignment]
    world.refused(ada, change(tier="basic"))
    case = the_case(world)
    assert case.asked_at == case.created_at > before


# How support brings a customer to a lower tier: docs/operations.md, "Requests for a lower tier".


def test_after_the_period_is_over_the_lower_tier_may_be_bought(world: World, ada: Customer) -> None:
    world.pass_time(days=30)
    assert world.buy(ada, purchase("desk", "basic", 10)).status is OrderStatus.COMPLETED
    assert world.subscription(ada, "desk").tier_code == "basic"


def test_after_a_refund_by_support_the_lower_tier_may_be_bought(world: World) -> None:
    ada = world.customer()
    order = world.buy(ada, purchase("desk", "team", 10))
    with world.begin() as session:
        support_refund.refund(session, order.id, by="bob", why="wants basic", now=world.time)
    assert world.run(order.id).status is OrderStatus.REFUNDED
    assert world.buy(ada, purchase("desk", "basic", 10)).status is OrderStatus.COMPLETED
    assert world.subscription(ada, "desk").tier_code == "basic"
