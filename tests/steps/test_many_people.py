"""An account with very many people: of them, a quote and an order read a number and a few names."""

import pytest
from sqlalchemy import text

from models import cart_facts, order_cache
from models.orders import Order
from models.rules.refusals import RefusalCode
from tests.support.world import Customer, World, change, purchase

MANY = 5_000


@pytest.fixture
def ada(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def crowd(world: World, ada: Customer) -> Customer:
    """As many users as there are seats, each assigned a second after the one before."""
    world.buy(ada, purchase(seats=MANY))
    insert = """
        INSERT INTO seat_assignments (id, subscription_id, user_email, assigned_at)
        SELECT gen_random_uuid(), :id, 'u' || n || '@x.example', :now + n * interval '1 second'
        FROM generate_series(1, :many) AS n
    """
    with world.begin() as session:
        session.execute(text(insert), {"id": world.subscription(ada, "desk").id, "now": world.time, "many": MANY})
    return ada


def read(world: World, customer: Customer) -> cart_facts.CartFacts:
    with world.begin() as session:
        return cart_facts.load(
            session,
            account_id=customer.account_id,
            contact_id=customer.contact_id,
            products=["desk"],
            as_of=world.time,
        )


def test_of_many_users_their_number_and_the_last_ten_are_read(world: World, crowd: Customer) -> None:
    held = read(world, crowd).buyer.held["desk"]
    assert held.assigned == MANY
    assert held.most_recent == tuple(f"u{n}@x.example" for n in range(MANY, MANY - 10, -1))


def test_who_is_to_be_unassigned_first_is_the_last_of_many(world: World, crowd: Customer) -> None:
    [refusal] = world.refused(crowd, change(seats=MANY - 2))
    assert refusal.code is RefusalCode.SEATS_BELOW_ASSIGNED
    assert refusal.facts == {
        "seats": MANY - 2,
        "must_unassign": 2,
        "most_recent": [f"u{MANY}@x.example", f"u{MANY - 1}@x.example"],
    }


def test_an_order_reads_the_number_of_users_and_prompts_for_the_seats_left(world: World, crowd: Customer) -> None:
    order = world.buy(crowd, change(seats=MANY + 2))
    with world.begin() as session:
        found = order_cache.subscriptions(session, session.get_one(Order, order.id))
    assert {each: held.users for each, held in found.items()} == {world.subscription(crowd, "desk").id: MANY}
    assert world.letters(order.id) == ["confirmation", "seat_prompt"]


def test_of_many_contacts_the_one_that_asks_is_read_and_ten_that_may_order(world: World, ada: Customer) -> None:
    insert = """
        INSERT INTO contacts (id, account_id, name, email, is_billing_contact)
        SELECT gen_random_uuid(), :id, 'Bo ' || to_char(n, 'FM0000'), 'b' || n || '@x.example', true
        FROM generate_series(1, :many) AS n
    """
    with world.begin() as session:
        session.execute(text(insert), {"id": ada.account_id, "many": MANY})
    asked = {"account_id": ada.account_id, "contact_id": ada.contact_id, "priced_at": world.time}
    with world.begin() as session:
        [(account, contact, billing_contacts, *_)] = cart_facts._ACCOUNT.all(session, asked)
    assert (account.id, contact and contact.email) == (ada.account_id, ada.email)
    others = [f"Bo {n:04} <b{n}@x.example>" for n in range(1, 10)]
    assert billing_contacts == [f"Ada Byron <{ada.email}>", *others]
