"""New timeline events for everybody who follows an order: one query per round for all streams of this process, not one each."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import BigInteger, Uuid, and_, cast, exists, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from api_stub.schemas.orders import EventView
from api_stub.views.timeline import event_view
from models.api_keys import ApiKey, ApiKeyAccount
from models.orders import Order, OrderEvent
from models.states import FINAL
from tasks.upstream.api_keys import Scope
from tasks.wiring import begin

log = structlog.get_logger(__name__)

EVERY = 0.3
"""seconds between two rounds"""
AFTER_TROUBLE = 2.0
"""seconds to wait where a round failed: mostly, the database did not answer"""


class News(NamedTuple):
    order_id: UUID
    event: EventView
    is_final: bool
    """whether the order was final when this round read it"""


class Right(NamedTuple):
    """To read an order with a key."""

    key_id: UUID
    order_id: UUID


@dataclass(eq=False, slots=True)
class Follower:
    order_id: UUID
    key_id: UUID
    """the API key that it was let in with"""
    after: int
    """id of the last event it has"""
    news: "asyncio.Queue[News | None]" = field(default_factory=asyncio.Queue)
    """None: the key may not read the order any more, or the server stops, and nothing is to come"""

    @property
    def right(self) -> "Right":
        return Right(self.key_id, self.order_id)


class EventWatch:
    """Lives in one event loop; it asks the database only while somebody follows something."""

    def __init__(self) -> None:
        self._followers: set[Follower] = set()
        self._rounds: asyncio.Task[None] | None = None

    @contextmanager
    def follow(self, order_id: UUID, *, key_id: UUID, after: int) -> Iterator[Follower]:
        """Events of the order with an id above `after` arrive in the follower's `news`, in order, those of one round together."""
        follower = Follower(order_id, key_id, after)
        self._followers.add(follower)
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.create_task(self._run())
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    def followers_with(self, key_id: UUID) -> int:
        """How many of this process follow something with this key."""
        return sum(follower.key_id == key_id for follower in self._followers)

    async def _run(self) -> None:
        while self._followers:
            pause = EVERY
            try:
                wanted = self._wanted()
                rights = {follower.right for follower in self._followers}
                round_, lost = await run_in_threadpool(_asked, wanted, rights)
                self._end(lost)
                self._hand_out(round_, wanted)
            except SQLAlchemyError as error:
                log.warning("event streams wait for the database", error=type(error).__name__)
                pause = AFTER_TROUBLE
            except Exception:  # the followers are still there, and nothing else would serve them
                log.exception("event streams are told nothing")
                pause = AFTER_TROUBLE
            await asyncio.sleep(pause)

    def _wanted(self) -> dict[UUID, int]:
        wanted: dict[UUID, int] = {}
        for follower in self._followers:
            wanted[follower.order_id] = min(follower.after, wanted.get(follower.order_id, follower.after))
        return wanted

    def _end(self, lost: Collection[Right]) -> None:
        for follower in [each for each in self._followers if each.right in lost]:
            self._followers.discard(follower)
            follower.news.put_nowait(None)

    def _hand_out(self, round_: Sequence[News], wanted: Mapping[UUID, int]) -> None:
        """A follower who joined during the query and lacks earlier events gets them all in the next round."""
        for news in round_:
            for follower in self._followers:
                if follower.order_id == news.order_id and wanted[news.order_id] <= follower.after < news.event.id:
                    follower.after = news.event.id
                    follower.news.put_nowait(news)


def _asked(wanted: Mapping[UUID, int], rights: Collection[Right]) -> tuple[list[News], set[Right]]:
    """What is new, and which of the rights are lost: asked last, so that nothing written after such a loss is told."""
    return read_news(wanted), _lost(rights)


def _lost(rights: Collection[Right]) -> set[Right]:
    """Those whose key was revoked, lacks the scope by now, or may no longer act for the order's account."""
    keys, orders = [each.key_id for each in rights], [each.order_id for each in rights]
    held = (
        func.unnest(cast(keys, ARRAY(Uuid)), cast(orders, ARRAY(Uuid)))
        .table_valued("key_id", "order_id", name="held")
        .render_derived()
    )
    still = (
        exists()
        .where(ApiKey.id == held.c.key_id, ApiKey.revoked_at.is_(None), ApiKey.scopes.contains([Scope.ORDERS_READ]))
        .where(ApiKeyAccount.api_key_id == ApiKey.id, ApiKeyAccount.account_id == Order.account_id)
        .where(Order.id == held.c.order_id)
    )
    with begin() as session:
        return {Right(*row) for row in session.execute(select(held.c.key_id, held.c.order_id).where(~still))}


def read_news(wanted: Mapping[UUID, int]) -> list[News]:
    """Events of these orders, each after the one last seen. An order's events become visible in the order of their ids, because
    a writer locks the order's row before the event gets its id (`timeline.note`)."""
    if not wanted:
        return []
    ids, last_seen = cast(list(wanted), ARRAY(Uuid)), cast(list(wanted.values()), ARRAY(BigInteger))
    watched = func.unnest(ids, last_seen).table_valued("order_id", "after", name="watched").render_derived()
    new = and_(OrderEvent.order_id == watched.c.order_id, OrderEvent.id > watched.c.after)
    # PostgreSQL decides it, as a newer release may have written a status that this one has no name for.
    is_final = Order.status.in_(sorted(FINAL))
    query = select(OrderEvent, is_final).join(watched, new).join(Order, Order.id == OrderEvent.order_id)
    with begin() as session:
        rows = session.execute(query.order_by(OrderEvent.id)).all()
    return [News(event.order_id, event_view(event), final) for event, final in rows]
