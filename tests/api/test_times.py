"""The times of one order: what happened is told to the microsecond, so that all of it can be sorted; what is counted in is in whole seconds."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from models.payments import ChargeAttempt
from tests.api.conftest import Api, purchase
from tests.support.contract import DOCUMENT
from tests.support.payment import refundable
from tests.support.world import Customer, World

WITHIN_THE_SECOND = timedelta(microseconds=407_450)


@pytest.fixture(autouse=True)
def not_on_the_second(world: World) -> None:
    world.time += WITHIN_THE_SECOND


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_charge_does_not_precede_its_order_and_periods_are_in_whole_seconds(
    world: World, api: Api, ada: Customer
) -> None:
    order_id = UUID(api.order(ada, purchase()))
    world.placed_now(order_id)
    world.run(order_id)
    shown = api.get(f"/v1/orders/{order_id}").json()
    (charge,) = shown["payment"]["charges"]
    assert instant(shown["created_at"]) == instant(charge["created_at"]) == world.time
    counted = [shown["as_of"], shown["lines"][0]["period"]["start"], shown["lines"][0]["period"]["end"]]
    assert [instant(each).microsecond for each in counted] == [0, 0, 0]
    (attempt,) = world.rows(ChargeAttempt, order_id=order_id)
    assert attempt.asked_at == world.time - WITHIN_THE_SECOND


def test_a_request_to_cancel_does_not_precede_its_order(world: World, api: Api, ada: Customer) -> None:
    order_id = UUID(api.order(ada, purchase()))
    world.placed_now(order_id)
    shown: dict[str, Any] = api.post(f"/v1/orders/{order_id}/cancel").json()
    assert instant(shown["created_at"]) == instant(shown["cancel_requested_at"]) == world.time


def test_a_refund_does_not_precede_its_charge(world: World, api: Api) -> None:
    customer, order_id = refundable(world)
    api.use(customer)
    world.run(order_id)
    payment = api.get(f"/v1/orders/{order_id}").json()["payment"]
    (charge,), (refund,) = payment["charges"], payment["refunds"]
    assert instant(charge["created_at"]) == instant(refund["created_at"]) == world.time


def test_a_reader_is_told_which_times_are_in_whole_seconds() -> None:
    told = DOCUMENT["info"]["description"]
    assert "whole seconds" in told
    assert "not as text" in told
