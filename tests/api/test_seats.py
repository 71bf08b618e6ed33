"""Seats over HTTP, one by one and at once: never more users than seats."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from models.orders import Order
from models.subscriptions import SeatAssignment, assigned
from tests.api.conftest import Api, Desk, change, problem
from tests.support import world as worlds
from tests.support.world import Customer, World


def test_assigning_twice_gives_one_seat_however_the_address_is_written(desk: Desk) -> None:
    assert desk.assign("Mia@customer.example") == (200, "assigned")
    assert desk.assign("mia@Customer.example") == (200, "already_assigned")
    assert desk.users() == {"mia@customer.example"}


def test_one_seat_is_no_seats(world: World, api: Api, ada: Customer) -> None:
    world.buy(ada, worlds.purchase("wiki", seats=1))
    path = f"/v1/subscriptions/{world.subscription(ada, 'wiki').id}/seats/assign"
    assert api.post(path, {"email": "a@x.example"}).status_code == 200
    detail = api.post(path, {"email": "b@x.example"}).json()["detail"]
    assert detail == "The subscription has 1 seat; 1 is assigned. Unassign somebody, or order more seats."


def test_unassigning_frees_the_seat_and_again_changes_nothing(desk: Desk) -> None:
    for user in ("a@x.example", "b@x.example", "c@x.example"):
        desk.assign(user)
    assert desk.assign("d@x.example") == (409, "no-seat-left")
    assert desk.unassign("a@x.example") == (200, "unassigned")
    assert desk.unassign("a@x.example") == (200, "not_assigned")
    assert desk.assign("d@x.example") == (200, "assigned")
    assert desk.users() == {"b@x.example", "c@x.example", "d@x.example"}


def test_a_user_sits_on_each_subscription_by_itself(world: World, ada: Customer, desk: Desk) -> None:
    world.buy(ada, worlds.purchase("chat"))
    world.assign(ada, "chat", "mia@x.example")
    assert desk.unassign("mia@x.example") == (200, "not_assigned")
    assert desk.assign("mia@x.example") == (200, "assigned")
    assert desk.unassign("mia@x.example") == (200, "unassigned")
    with world.begin() as session:
        assert assigned(session, world.subscription(ada, "chat").id) == 1


def test_who_comes_back_sits_there_anew_and_the_time_before_stays_as_it_was(world: World, desk: Desk) -> None:
    sat = []
    for _ in range(2):
        began = world.time
        desk.assign("mia@x.example")
        world.pass_time(hours=1)
        desk.unassign("mia@x.example")
        sat.append((began, world.time))
        world.pass_time(hours=1)
    rows = world.rows(SeatAssignment, user_email="mia@x.example")
    assert sorted((row.assigned_at, row.unassigned_at) for row in rows) == sat


def test_users_of_one_second_are_listed_in_the_order_in_which_a_refusal_names_them(
    api: Api, ada: Customer, desk: Desk
) -> None:
    desk.upload("z1@x.example,assign", "z2@x.example,assign", "z3@x.example,assign")
    listed = [user["email"] for user in api.get(desk.path).json()["users"]]
    assert listed == ["z3@x.example", "z2@x.example", "z1@x.example"]
    [refusal] = api.quote(ada, change(seats=1)).json()["refusals"]
    assert refusal["most_recent"] == listed[:2]


def test_many_at_once_never_get_more_seats_than_there_are(desk: Desk) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(desk.assign, (f"user{n}@x.example" for n in range(8))))
    assert sorted(answers) == [(200, "assigned")] * 3 + [(409, "no-seat-left")] * 5
    assert len(desk.users()) == 3


def test_the_same_user_assigned_at_once_gets_one_seat(desk: Desk) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(desk.assign, ["mia@x.example"] * 6))
    assert sorted(answers) == [(200, "already_assigned")] * 5 + [(200, "assigned")]


def test_while_an_order_cuts_the_seats_the_lower_number_counts(api: Api, ada: Customer, desk: Desk) -> None:
    desk.assign("a@x.example")
    order_id = api.order(ada, change(seats=1))
    assert desk.assign("b@x.example") == (409, "no-seat-left")
    shown = api.get(desk.path).json()
    number = api.get(f"/v1/orders/{order_id}").json()["number"]
    assert (shown["seats"], shown["limit"], shown["lowered_by"], shown["assigned"]) == (3, 1, number, 1)
    assert shown["lowered_by_order_id"] == order_id
    detail = api.post(f"{desk.path}/assign", {"email": "b@x.example"}).json()["detail"]
    assert f"which order {number} lowers to 1" in detail


def test_neither_another_account_s_order_nor_one_for_another_product_cuts_the_seats(
    world: World, ada: Customer, desk: Desk
) -> None:
    eve = world.customer()
    world.buy(eve, worlds.purchase(seats=3))
    world.place(eve, worlds.change(seats=1))
    world.place(ada, worlds.change(seats=4), worlds.purchase("chat", seats=1))
    assert [desk.assign(f"{name}@x.example") for name in "abc"] == [(200, "assigned")] * 3


def test_a_purchase_of_fewer_seats_after_the_period_has_ended_cuts_them_too(
    world: World, ada: Customer, desk: Desk
) -> None:
    world.pass_time(days=40)
    world.place(ada, worlds.purchase(seats=1))
    assert desk.assign("a@x.example") == (200, "assigned")
    assert desk.assign("b@x.example") == (409, "no-seat-left")


def test_once_the_order_that_cut_the_seats_is_gone_they_are_back(
    world: World, api: Api, ada: Customer, desk: Desk
) -> None:
    order_id = api.order(ada, change(seats=1))
    api.post(f"/v1/orders/{order_id}/cancel")
    world.run(next(row.id for row in world.rows(Order) if str(row.id) == order_id))
    assert [desk.assign(f"{name}@x.example") for name in "abc"] == [(200, "assigned")] * 3


def test_an_order_for_more_seats_gives_them_once_it_is_active(
    world: World, api: Api, ada: Customer, desk: Desk
) -> None:
    for name in "abc":
        desk.assign(f"{name}@x.example")
    order_id = api.order(ada, change(seats=4))
    assert desk.assign("d@x.example") == (409, "no-seat-left")
    world.run(next(row.id for row in world.rows(Order) if str(row.id) == order_id))
    assert desk.assign("d@x.example") == (200, "assigned")


def test_seats_of_an_ended_trial_cannot_be_assigned_but_unassigned(world: World, api: Api, ada: Customer) -> None:
    world.buy(ada, worlds.trial("chat", seats=2))
    path = f"/v1/subscriptions/{world.subscription(ada, 'chat').id}/seats"
    assert api.post(f"{path}/assign", {"email": "a@x.example"}).status_code == 200
    world.pass_time(days=30)
    assert problem(api.post(f"{path}/assign", {"email": "b@x.example"})) == (409, "not-active")
    assert api.post(f"{path}/unassign", {"email": "a@x.example"}).json()["result"] == "unassigned"


@pytest.mark.parametrize("email", ["", "mia", "mia@", "a@b@c.example", "mia@x.example\nBcc: eve@x.example", None, 7])
def test_what_is_no_address_gets_no_seat(desk: Desk, email: object) -> None:
    answer = desk.api.post(f"{desk.path}/assign", {"email": email})
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"][0]["pointer"] == "/email"
