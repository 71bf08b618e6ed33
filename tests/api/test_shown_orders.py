"""An order over HTTP is told truthfully, as of one moment."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from api_stub.access import order_of
from api_stub.views import order_view
from models.orders import Order
from tests.api.conftest import Api, change, purchase, trial
from tests.support import world as worlds
from tests.support.world import Customer, World


def test_a_completed_order_shows_lines_amounts_payment_and_timeline(world: World, api: Api, ada: Customer) -> None:
    order_id = api.order(ada, purchase(seats=10), trial("chat"))
    world.run(world.rows(Order)[0].id)
    order = api.get(f"/v1/orders/{order_id}").json()
    assert (order["status"], order["final"], order["reason"], order["next"]) == ("completed", True, None, None)
    assert [(line["action"], line["total"]["minor"]) for line in order["lines"]] == [("purchase", 119_00), ("trial", 0)]
    assert (order["totals"]["due"]["minor"], order["payment"]["charged"]["text"]) == (119_00, "€119.00")
    assert [(charge["attempt"], charge["status"]) for charge in order["payment"]["charges"]] == [(1, "succeeded")]
    kinds = [event["kind"] for event in order["timeline"]]
    assert kinds == world.timeline(world.rows(Order)[0].id)
    assert (kinds[0], kinds[-1]) == ("order.placed", "order.completed")


def test_an_order_that_ends_while_it_is_read_is_shown_as_of_one_moment(
    world: World, api: Api, ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = api.order(ada, purchase(seats=10))
    read = order_of

    def ends_meanwhile(*asked: Any) -> Order:
        world.run(UUID(order_id))
        return read(*asked)

    with monkeypatch.context() as patched:
        patched.setattr(order_view, "order_of", ends_meanwhile)
        meanwhile = api.get(f"/v1/orders/{order_id}").json()
    assert (meanwhile["status"], [event["kind"] for event in meanwhile["timeline"]]) == ("open", ["order.placed"])
    assert api.get(f"/v1/orders/{order_id}").json()["status"] == "completed"


def test_a_purchase_whose_trial_was_changed_is_not_told_as_another_amount(
    world: World, api: Api, ada: Customer
) -> None:
    world.buy(ada, worlds.trial("desk", "team", 5))
    quote = api.quote(ada, purchase(seats=9)).json()["id"]
    world.pass_time(minutes=1)
    world.buy(ada, worlds.change(seats=9))
    order_id = api.place(ada, quote).json()["id"]
    world.run(UUID(order_id))
    order = api.get(f"/v1/orders/{order_id}").json()
    asked = order["timeline"][-1]
    assert (order["status"], asked["facts"]["differs"]) == ("awaiting_confirmation", ["from_seats"])
    assert asked["facts"]["quoted_total_minor"] == asked["facts"]["total_minor"] == 107_10
    assert asked["text"] == "The order is no longer as quoted; it waits for confirmation."
    assert "though the amount is" in order["status_text"]


def test_a_timeline_tells_no_addresses_and_no_errors(world: World, api: Api, ada: Customer) -> None:
    quote = api.quote(ada, purchase()).json()["id"]
    order_id = api.place(ada, quote).json()["id"]
    world.change_account(ada, kind="corporate")
    world.run(world.rows(Order)[0].id)
    order = api.get(f"/v1/orders/{order_id}").json()
    assert (order["status"], order["reason"]["code"]) == ("rejected", "corporate-account")
    assert "https://corporate.prorata.example/billing" in order["reason"]["text"]
    assert ada.email not in str(order["timeline"])


def test_a_change_shows_what_it_starts_from(world: World, api: Api, ada: Customer) -> None:
    world.buy(ada, worlds.purchase(seats=10))
    world.time += timedelta(days=15)
    order_id = api.order(ada, change(seats=12))
    (line,) = api.get(f"/v1/orders/{order_id}").json()["lines"]
    assert (line["before"]["seats"], line["before"]["charged"]["minor"], line["credit"]["minor"]) == (10, 100_00, 50_00)
