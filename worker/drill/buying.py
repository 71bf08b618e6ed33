"""A customer of a drill: asks for a quote, orders, does what the order waits for. Patient, as an upstream has to be: a request
that got no answer is repeated, an order under the same Idempotency-Key."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx

from models.errors import Explained
from models.rules.cart import CartLine
from models.states import FINAL, OrderStatus
from models.timeline_kinds import Kind
from worker.drill.ground import Customer
from worker.drill.kinds import VISA, Doing
from worker.drill.watch import Watch

SETTLED = FINAL | {OrderStatus.NEEDS_ATTENTION}
PAUSE = 0.3
AT_ONCE = 50
"""requests under way"""


class GaveUp(Explained):
    """Something did not happen in time; the message says what."""


@dataclass(slots=True)
class Bought:
    """What came of an order, as its customer knows it."""

    customer: Customer
    doing: Doing = Doing.NOTHING
    key: str = field(default_factory=lambda: f"drill-{uuid4()}")
    order_id: UUID | None = None
    due_minor: int = 0
    currency: str = ""
    status: OrderStatus | None = None
    trouble: str | None = None
    repeated: int = 0
    """requests that were made again"""


@dataclass(frozen=True, slots=True)
class Shop:
    """The API, seen by an upstream with a key."""

    http: httpx.AsyncClient
    watch: Watch
    deadline: float
    """`time.monotonic()` after which everybody gives up"""
    line: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    """Where customers queue: the HTTP client's own queue gets slower as it gets longer, until nothing gets through."""

    async def quote(self, bought: Bought, cart: tuple[CartLine, ...]) -> str:
        customer = bought.customer
        wanted = {
            "account_id": str(customer.account_id),
            "contact_id": str(customer.contact_id),
            "lines": [_as_json(line) for line in cart],
        }
        quote = await self._post(bought, "/v1/quotes", wanted)
        bought.due_minor = quote["totals"]["due"]["minor"]
        bought.currency = quote["currency"]
        return str(quote["id"])

    async def place(self, bought: Bought, quote_id: str) -> UUID:
        wanted = {"account_id": str(bought.customer.account_id), "quote_id": quote_id}
        answer = await self._post(bought, "/v1/orders", wanted, key=bought.key)
        bought.order_id = UUID(answer["id"])
        return bought.order_id

    async def follow(self, bought: Bought) -> None:
        """Do what the order waits for, until it has ended."""
        order_id = bought.order_id
        if order_id is None:
            return
        if bought.doing is Doing.CANCEL_WHILE_CHARGED:
            await self._cancel_while_charged(bought, order_id)
        status = OrderStatus.OPEN
        while True:
            try:
                status = await self.watch.leaves(order_id, status, within=self._patience(status))
            except TimeoutError:
                if time.monotonic() >= self.deadline:
                    bought.status = status
                    raise GaveUp(f"order {order_id} is still {status}") from None
            bought.status = status
            if status in SETTLED:
                return
            await self._act(bought, order_id, status)

    def _patience(self, status: OrderStatus) -> float:
        left = max(0.1, self.deadline - time.monotonic())
        return left if status is OrderStatus.OPEN else min(left, 20.0)

    async def _act(self, bought: Bought, order_id: UUID, status: OrderStatus) -> None:
        path = f"/v1/orders/{order_id}"
        match status:
            case OrderStatus.AWAITING_AUTHENTICATION:
                order = await self._get(bought, path)
                if order["next"] and order["next"]["url"]:
                    await self._authenticate(order["next"]["url"])
            case OrderStatus.PAYMENT_DECLINED | OrderStatus.AWAITING_PAYMENT_DETAILS:
                await self._post(bought, f"{path}/payment-method", {"token": VISA}, may_refuse=True)
            case OrderStatus.AWAITING_CONFIRMATION:
                order = await self._get(bought, path)
                if order["next"] and order["next"]["quote"]:
                    quote = order["next"]["quote"]
                    await self._post(bought, f"{path}/confirm", {"quote_id": quote["id"]}, may_refuse=True)
                    bought.due_minor = quote["totals"]["due"]["minor"]

    async def _authenticate(self, url: str) -> None:
        try:
            async with self.line:
                await self.http.post(url, data={"outcome": "succeed"}, follow_redirects=False)
        except httpx.HTTPError:
            return  # asked again as long as the order waits

    async def _cancel_while_charged(self, bought: Bought, order_id: UUID) -> None:
        await self.watch.happens(order_id, Kind.CHARGE_ATTEMPTED, within=max(0.1, self.deadline - time.monotonic()))
        await self._post(bought, f"/v1/orders/{order_id}/cancel", {}, may_refuse=True)

    async def _get(self, bought: Bought, path: str) -> dict[str, Any]:
        return await self._asked(bought, "GET", path, None, {})

    async def _post(
        self, bought: Bought, path: str, body: dict[str, Any], *, key: str | None = None, may_refuse: bool = False
    ) -> dict[str, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        return await self._asked(bought, "POST", path, body, headers, may_refuse=may_refuse)

    async def _asked(
        self,
        bought: Bought,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        headers: dict[str, str],
        *,
        may_refuse: bool = False,
    ) -> dict[str, Any]:
        while True:
            try:
                async with self.line:
                    answer = await self.http.request(method, path, json=body, headers=headers)
            except httpx.HTTPError as error:
                said = type(error).__name__
            else:
                if answer.is_success or (may_refuse and answer.status_code == httpx.codes.CONFLICT):
                    said_json: dict[str, Any] = answer.json()
                    return said_json
                said = f"{answer.status_code} {answer.text[:300]}"
                if answer.is_client_error and answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                    raise GaveUp(f"the API refuses {method} {path}: {said}")
            if time.monotonic() >= self.deadline:
                raise GaveUp(f"the API has not taken {method} {path} in time: {said}")
            bought.repeated += 1
            await asyncio.sleep(PAUSE)


def _as_json(line: CartLine) -> dict[str, Any]:
    said = {
        "action": line.action.value,
        "product": line.product,
        "tier": line.tier,
        "seats": line.seats,
        "interval": line.interval.value if line.interval else None,
    }
    return {name: value for name, value in said.items() if value is not None}
