"""Looks up where orders stand, for many waiters in one query at a time; an unreachable database only makes them wait longer."""

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from models.messages import OutboxMessage, WebhookReceived
from models.orders import Order, OrderEvent
from models.states import OrderStatus

Begin = Callable[[], AbstractContextManager[Session]]


@dataclass
class _Waiter:
    leaves: frozenset[OrderStatus]
    event: str | None
    done: "asyncio.Future[OrderStatus]"


@dataclass
class Watch:
    """Use it as an async context manager; it looks every `tick` seconds."""

    begin: Begin
    tick: float = 0.25
    _waiting: dict[UUID, list[_Waiter]] = field(default_factory=dict)
    _task: "asyncio.Task[None] | None" = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def leaves(self, order_id: UUID, *statuses: OrderStatus, within: float) -> OrderStatus:
        """Wait until its status is none of `statuses`; returns that one. Raises TimeoutError."""
        return await self._wait(order_id, _Waiter(frozenset(statuses), None, self._future()), within)

    async def happens(self, order_id: UUID, event: str, *, within: float) -> None:
        """Wait until `event` is in its timeline. Raises TimeoutError."""
        await self._wait(order_id, _Waiter(frozenset(), event, self._future()), within)

    async def quiet(self, *, within: float) -> None:
        """Wait until no order is open and nothing waits to be published or handled. Raises TimeoutError."""
        give_up_at = time.monotonic() + within
        while (left := await asyncio.to_thread(self.unfinished)) != 0:
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"not quiet after {within:g} s: {left} orders, messages or webhooks left")
            await asyncio.sleep(self.tick)

    def unfinished(self) -> int | None:
        """Open orders, messages in the outbox and webhooks not handled; None where the database does not answer."""
        counts = (
            select(func.count()).select_from(Order).where(Order.status == OrderStatus.OPEN),
            select(func.count()).select_from(OutboxMessage),
            select(func.count()).select_from(WebhookReceived).where(WebhookReceived.handled_at.is_(None)),
        )
        try:
            with self.begin() as session:
                return sum(session.scalar(count) or 0 for count in counts)
        except SQLAlchemyError:
            return None

    def _future(self) -> "asyncio.Future[OrderStatus]":
        return asyncio.get_running_loop().create_future()

    async def _wait(self, order_id: UUID, waiter: _Waiter, within: float) -> OrderStatus:
        self._waiting.setdefault(order_id, []).append(waiter)
        try:
            return await asyncio.wait_for(waiter.done, within)
        finally:
            self._waiting[order_id].remove(waiter)
            if not self._waiting[order_id]:
                del self._waiting[order_id]

    async def _run(self) -> None:
        while True:
            if self._waiting:
                with suppress(SQLAlchemyError):
                    statuses, events = await asyncio.to_thread(self._look, list(self._waiting))
                    self._tell(statuses, events)
            await asyncio.sleep(self.tick)

    def _look(self, ids: Collection[UUID]) -> tuple[dict[UUID, OrderStatus], set[tuple[UUID, str]]]:
        events = {waiter.event for waiters in list(self._waiting.values()) for waiter in waiters if waiter.event}
        with self.begin() as session:
            rows = session.execute(select(Order.id, Order.status).where(Order.id.in_(ids)))
            statuses = {row[0]: row[1] for row in rows}
            if not events:
                return statuses, set()
            happened = select(OrderEvent.order_id, OrderEvent.kind).where(
                OrderEvent.order_id.in_(ids), OrderEvent.kind.in_(events)
            )
            return statuses, {(row[0], row[1]) for row in session.execute(happened)}

    def _tell(self, statuses: dict[UUID, OrderStatus], events: set[tuple[UUID, str]]) -> None:
        for order_id, status in statuses.items():
            for waiter in self._waiting.get(order_id, ()):
                met = (order_id, waiter.event) in events if waiter.event else status not in waiter.leaves
                if met and not waiter.done.done():
                    waiter.done.set_result(status)
