"""New timeline events for everybody who follows an order: one query per round for all streams of this process, not one each."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import BigInteger, Uuid, and_, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from api_stub.schemas.orders import EventView
from api_stub.views.timeline import event_view
from models.api_keys import ApiKey
from models.orders import Order, OrderEvent
from models.states import FINAL
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


@dataclass(eq=False, slots=True)
class Follower:
    order_id: UUID
    key_id: UUID
    """the API key that it was let in with"""
    after: int
    """id of the last event it has"""
    news: "asyncio.Queue[News | None]" = field(default_factory=asyncio.Queue)
    """None: the key was revoked, or the server stops, and nothing is to come"""


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
                keys = {follower.key_id for follower in self._followers}
                round_, revoked = await run_in_threadpool(_asked, wanted, keys)
                self._end(revoked)
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

    def _end(self, revoked: Collection[UUID]) -> None:
        for follower in [each for each in self._followers if each.key_id in revoked]:
            self._followers.discard(follower)
            follower.news.put_nowait(None)

    def _hand_out(self, round_: Sequence[News], wanted: Mapping[UUID, int]) -> None:
        """A follower who joined during the query and lacks earlier events gets them all in the next round."""
        for news in round_:
            for follower in self._followers:
                if follower.order_id == news.order_id and wanted[news.order_id] <= follower.after < news.event.id:
                    follower.after = news.event.id
                    follower.news.put_nowait(news)


def _asked(wanted: Mapping[UUID, int], keys: Collection[UUID]) -> tuple[list[News], set[UUID]]:
    """What is new, and which of the keys were revoked: asked last, so that nothing written after a revocation is told."""
    return _news(wanted), _revoked(keys)


def _revoked(keys: Collection[UUID]) -> set[UUID]:
    with begin() as session:
        return set(session.scalars(select(ApiKey.id).where(ApiKey.id.in_(keys), ApiKey.revoked_at.is_not(None))))


def _news(wanted: Mapping[UUID, int]) -> list[News]:
    """Events of these orders, each after the one last seen. An order's events become visible in the order of their ids, because
    a writer locks the order's row before the event gets its id (`progress.note`)."""
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
