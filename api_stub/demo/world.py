"""What a sample order can do to the world around it: the stand-ins' levers, the catalogue, the clock of a quote."""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from api_stub.demo.sample_orders import WAITS_FOR, Happening
from api_stub.demo.sample_orders import Event as Do
from api_stub.demo.upstream import Json, Upstream
from models.rules.cart import Action, CartLine
from models.rules.period import Interval
from models.states import FINAL, OrderStatus
from tasks import placement
from tasks.wiring import begin, now, policy

PATIENCE = 120.0
"""seconds that an order may take to get where it is waited for"""

Seen = Callable[[Json], None]
"""is told each entry of an order's timeline as it is written"""


class StillWaiting(Exception):
    """The order did not get where it was waited for."""


class World:
    def __init__(self, upstream: Upstream, *, vies: str, raise_price: Callable[[dict[str, Any]], None]) -> None:
        self.upstream = upstream
        self._vies = vies
        self._raise_price = raise_price
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Whoever waits, waits no longer."""
        self._stopped.set()

    def happen(self, happening: Happening, account_id: UUID) -> None:
        """Before the quote, or between quote and order."""
        match happening.event:
            case Do.ASSIGN:
                self.upstream.assign(account_id, happening.with_["product"], happening.with_["users"])
            case Do.VIES_DOWN:
                fault = {"kind": "MS_UNAVAILABLE", "country": happening.with_}
                httpx.post(f"{self._vies}/_control/faults", json=fault, trust_env=False).raise_for_status()
            case Do.RAISE_PRICE:
                self._raise_price(happening.with_)
            case event:
                raise ValueError(f"{event} is for a customer whose order waits")

    def act(self, happening: Happening, order_id: str, seen: Seen) -> Json:
        """What the customer does, once the order waits for it; returns it as it was then. Raises StillWaiting, Refusal."""
        order = self.wait_for(order_id, WAITS_FOR[happening.event], seen)
        match happening.event:
            case Do.PAY_WITH:
                self.upstream.pay_with(order_id, happening.with_)
            case Do.AUTHENTICATE:
                answer = {"outcome": happening.with_}
                page = httpx.post(order["next"]["url"], data=answer, trust_env=False)
                if not page.is_redirect:
                    page.raise_for_status()
            case Do.CONFIRM:
                self.upstream.confirm(order_id, order["next"]["quote"]["id"])
            case Do.CANCEL:
                self.upstream.cancel(order_id)
        return order

    def wait_for(self, order_id: str, statuses: Collection[OrderStatus], seen: Seen) -> Json:
        """The order, once it stands in one of `statuses`, or has ended otherwise. Raises StillWaiting."""
        wanted = {*statuses, *FINAL, OrderStatus.NEEDS_ATTENTION}
        give_up_at = time.monotonic() + PATIENCE
        order = self.upstream.order(order_id)
        for entry in order["timeline"]:
            seen(entry)
        while order["status"] not in wanted:
            self._follow(order, {f"order.{status}" for status in wanted}, give_up_at, seen)
            order = self.upstream.order(order_id)
        if order["status"] == OrderStatus.NEEDS_ATTENTION:
            raise StillWaiting(f"a person must look: {order['timeline'][-1]['facts']}")
        return order

    def _follow(self, order: Json, wanted: Collection[str], give_up_at: float, seen: Seen) -> None:
        """Listen until the timeline says one of `wanted`, or the stream ends."""
        for entry in self.upstream.events(order["id"], after=order["timeline"][-1]["id"]):
            if self._stopped.is_set():
                raise StillWaiting("stopped")
            if time.monotonic() > give_up_at:
                raise StillWaiting(f"still {order['status']} after {PATIENCE:g} s")
            if entry is not None:
                seen(entry)
                if entry["kind"] in wanted:
                    return


def quote_of_long_ago(*, account_id: UUID, contact_id: UUID, lines: Sequence[Mapping[str, Any]], age: timedelta) -> str:
    """A quote asked for some time ago, which only our own clock can give; everything else goes over HTTP."""
    asked_at: datetime = now() - age
    cart = [
        CartLine(
            Action(line["action"]),
            line["product"],
            line.get("tier"),
            line.get("seats"),
            Interval(line["interval"]) if "interval" in line else None,
        )
        for line in lines
    ]
    with begin() as session:
        quote = placement.quote(
            session, account_id=account_id, contact_id=contact_id, cart=cart, now=asked_at, policy=policy()
        )
        return str(quote.id)
