"""Events delivered to the endpoint: signed with `v1`, at least once, again with growing pauses until a 2xx or three days."""

import asyncio
import contextlib
import json
import math
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from stripe import WebhookSignature

from api_stub.stand_ins.stripe import refunds
from api_stub.stand_ins.stripe.endpoint import Endpoint, Failed
from api_stub.stand_ins.stripe.ledger import Ledger
from api_stub.stand_ins.stripe.store import Store

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 30.0
GIVES_UP_AFTER = 3 * 24 * 60 * 60
AT_ONCE = 16
TICK = 0.05


@dataclass(frozen=True, slots=True)
class Delivery:
    seq: int
    attempts: int
    event: str
    payload: str
    url: str
    secret: str


@dataclass
class Postman:
    """Runs beside the server; what it has not delivered when the process dies is delivered after the restart."""

    store: Store
    under_way: set[int] = field(default_factory=set)

    async def run(self) -> None:
        limit = asyncio.Semaphore(AT_ONCE)
        with contextlib.closing(Endpoint()) as endpoint:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    if self.store.next_due <= time.time():
                        for delivery in await self.store.run(self._due):
                            self.under_way.add(delivery.seq)
                            tasks.create_task(self._deliver(endpoint, limit, delivery))
                    await asyncio.sleep(TICK)

    def _due(self, ledger: Ledger) -> list[Delivery]:
        do_what_is_due(ledger)
        ledger.next_due = _next_due(ledger)
        url, secret = ledger.setting("webhook_url"), ledger.setting("webhook_secret")
        if not url:
            return []
        rows = ledger.connection.execute(
            "SELECT d.seq, d.attempts, o.id AS event, o.body FROM deliveries d JOIN objects o ON o.id = d.event"
            " WHERE d.delivered IS NULL AND d.due <= ? ORDER BY d.due LIMIT ?",
            [time.time(), 10 * AT_ONCE],
        )
        return [
            Delivery(row["seq"], row["attempts"], row["event"], row["body"], url, secret)
            for row in rows
            if row["seq"] not in self.under_way
        ]

    async def _deliver(self, endpoint: Endpoint, limit: asyncio.Semaphore, delivery: Delivery) -> None:
        async with limit:
            error = await _post(endpoint, delivery)
        await self.store.run(lambda ledger: _record(ledger, delivery, error))
        self.under_way.discard(delivery.seq)


async def _post(endpoint: Endpoint, delivery: Delivery) -> str | None:
    """None if the endpoint took it, else why it did not."""
    signature = WebhookSignature.generate_signature_header(delivery.payload, delivery.secret)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature,
        "User-Agent": "Stripe/1.0",
    }
    try:
        status = await endpoint.post(delivery.url, delivery.payload.encode(), headers)
    except Failed as error:
        return type(error).__name__
    return None if 200 <= status < 300 else f"status {status}"


def _record(ledger: Ledger, delivery: Delivery, error: str | None) -> None:
    now = time.time()
    if error is None:
        ledger.connection.execute(
            "UPDATE deliveries SET delivered = ?, attempts = attempts + 1 WHERE seq = ?", [now, delivery.seq]
        )
        ledger.connection.execute(
            "UPDATE objects SET body = json_set(body, '$.pending_webhooks', 0) WHERE id = ?", [delivery.event]
        )
        return
    if json.loads(delivery.payload)["created"] < now - GIVES_UP_AFTER:
        ledger.connection.execute("DELETE FROM deliveries WHERE seq = ?", [delivery.seq])
        return
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**delivery.attempts) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
    ledger.connection.execute(
        "UPDATE deliveries SET attempts = attempts + 1, due = ?, last_error = ? WHERE seq = ?",
        [now + pause, error, delivery.seq],
    )


def _next_due(ledger: Ledger) -> float:
    """The earliest due time of what is left: deliveries, those under way too, and what the bank does later."""
    (due,) = ledger.connection.execute(
        "SELECT MIN(due) FROM (SELECT MIN(due) AS due FROM deliveries WHERE delivered IS NULL UNION SELECT MIN(due) FROM later)"
    ).fetchone()
    return math.inf if due is None else float(due)


def do_what_is_due(ledger: Ledger) -> None:
    """What the bank does by itself after a while: settle or return refunds."""
    for row in ledger.connection.execute("SELECT * FROM later WHERE due <= ?", [time.time()]).fetchall():
        refunds.settle(ledger, row["id"], row["what"])
        ledger.connection.execute("DELETE FROM later WHERE seq = ?", [row["seq"]])


@contextlib.asynccontextmanager
async def delivering(store: Store) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(Postman(store).run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
