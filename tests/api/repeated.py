"""What an action that is asked for again is answered, and what it did."""

from uuid import UUID

import httpx

from tests.api.conftest import Api
from tests.support.world import World


def statuses(*answers: httpx.Response) -> list[tuple[int, str]]:
    return [(answer.status_code, answer.json().get("status")) for answer in answers]


def in_their_order(answers: list[httpx.Response]) -> list[tuple[int, str]]:
    return sorted(statuses(*answers))


def reopened(world: World, order_id: UUID) -> int:
    return world.timeline(order_id).count("order.reopened")


def cancel(api: Api, order_id: UUID) -> httpx.Response:
    return api.post(f"/v1/orders/{order_id}/cancel")
