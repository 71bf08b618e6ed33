"""What a sample order can do to the world around it: the stand-ins' levers, the catalogue, the clock of a quote."""

import threading
import time
from collections.abc import Callable, Collection
from uuid import UUID

import httpx

from api_stub import sample as sample_files
from api_stub.demo.backstage import Backstage
from api_stub.demo.sample_file import WAITS_FOR, Happening, with_price
from api_stub.demo.sample_file import Event as Do
from api_stub.demo.upstream import Json, Upstream
from models.states import FINAL, OrderStatus

PATIENCE = 120.0
"""seconds that an order may take to get where it is waited for"""

Seen = Callable[[Json], None]
"""is told each entry of an order's timeline as it is written"""


class StillWaiting(Exception):
    """The order did not get where it was waited for."""


class World:
    def __init__(self, upstream: Upstream, backstage: Backstage, *, vies: str) -> None:
        self.upstream, self.backstage = upstream, backstage
        self._vies = vies
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End every wait for an order."""
        self._stopped.set()

    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    def happen(self, happening: Happening, account_id: UUID) -> None:
        """Before the quote, or between quote and order."""
        match happening.event:
            case Do.ASSIGN:
                self.upstream.assign(account_id, happening.with_["product"], happening.with_["users"])
            case Do.VIES_DOWN:
                fault = {"kind": "MS_UNAVAILABLE", "country": happening.with_}
                httpx.post(f"{self._vies}/_control/faults", json=fault, trust_env=False).raise_for_status()
            case Do.RAISE_PRICE:
                self.backstage.load_catalogue(with_price(sample_files.CATALOGUE, **happening.with_))
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
            if self.is_stopped():
                raise StillWaiting("stopped")
            if time.monotonic() > give_up_at:
                raise StillWaiting(f"still {order['status']} after {PATIENCE:g} s")
            if entry is not None:
                seen(entry)
                if entry["kind"] in wanted:
                    return
