"""An order's timeline as it happens: server-sent events, resumable, ending with the order."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BeforeValidator, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from api_stub.access import order_of
from api_stub.auth import OrdersReader
from api_stub.edge.second_try import SecondTryRoute
from api_stub.event_watch import EventWatch, Follower
from api_stub.problems.details import Problem
from api_stub.problems.problem_types import refuses
from api_stub.schemas.values import DIGITS, INT64
from models.states import FINAL
from tasks.upstream import granted_requests
from tasks.wiring import begin

router = APIRouter(prefix="/v1/orders/{order_id}", tags=["orders"], route_class=SecondTryRoute)

HEARTBEAT = 10
"""seconds between comments that keep proxies from cutting a silent stream"""
LONGEST = 900
"""seconds after which a stream ends and its client comes back with Last-Event-ID: the key is checked again"""
MOST = 50
"""streams that one key may have open at a time, of each process"""
LET_GO_WITHIN = 2
"""seconds that a stream has to end by itself once the server stops; one that nobody reads is then cut off"""
COME_BACK = 1000
"""milliseconds a client is asked to wait before it comes back"""

LastEventId = Annotated[
    int,
    Field(ge=0, lt=2**63),
    DIGITS,
    BeforeValidator(lambda seen: seen or 0),
    Header(
        alias="Last-Event-ID", json_schema_extra=INT64, description="the last event seen; the stream goes on after it"
    ),
]


def has_more(order_id: UUID, caller: OrdersReader, last_seen: LastEventId = 0) -> bool:
    """Whether anything is to come: the order is not final, or there are events not seen yet. Raises Problem 404."""
    with begin() as session:
        order = order_of(session, caller, order_id)
        newest = granted_requests.newest_entry(session, order_id)
    return order.status not in FINAL or newest > last_seen


async def following(
    request: Request,
    order_id: UUID,
    caller: OrdersReader,
    more: Annotated[bool, Depends(has_more)],
    last_seen: LastEventId = 0,
) -> AsyncIterator[Follower | None]:
    """Follows until the answer has ended, however it ends; None where nothing is to come. Raises Problem 429."""
    if not more:
        yield None
        return
    watch: EventWatch = request.app.state.event_watch
    if watch.followers_with(caller.key_id) >= MOST:
        detail = f"This API key already follows {MOST} orders; end one of these streams first."
        raise Problem(429, "too-many-streams", detail, headers={"Retry-After": str(HEARTBEAT)})
    with watch.follow(order_id, key_id=caller.key_id, after=last_seen) as follower:
        yield follower


_EXAMPLE = f"""\
id: 17
event: order.completed
data: {{"id":17,"at":"2026-11-22T09:00:05Z","kind":"order.completed","text":"The order is completed.","facts":{{}}}}
retry: {COME_BACK}

"""


@router.get(
    "/events",
    summary="Follow an order",
    response_class=EventSourceResponse,
    responses=refuses("too-many-streams")
    | {
        200: {
            "description": "Server-sent events; `id` and `event` are the timeline entry's id and kind, `data` is the entry",
            "content": {
                "text/event-stream": {
                    "schema": {
                        "type": "string",
                        "description": "Events in turn: of each, `id` is a number, `event` the entry's kind, `data` an `EventView` as JSON in one line, "
                        "`retry` the milliseconds to wait before coming back. Lines that begin with a colon keep the connection open.",
                    },
                    "example": _EXAMPLE,
                }
            },
        },
        204: {
            "description": "The order is final and everything was seen. What is noted later, such as a refund or that its invoice "
            "was paid, can be followed as before."
        },
    },
)
async def follow_order(follower: Annotated[Follower | None, Depends(following)]) -> Response:
    """Every timeline entry from the first (or after Last-Event-ID) on, as it is written. A key may have 50 streams open at a time.

    The end of a stream is not the end of the order: a stream ends once the order is final and all that was noted after that was told, too; but
    also after 15 minutes, when the server stops, and when the key is revoked or may no longer read the order. So come back with the id of the last event as `Last-Event-ID`,
    as browsers do by themselves, until the answer is 204: nothing is to come.
    """
    if follower is None:
        return Response(status_code=204)
    return EventSourceResponse(
        _entries(follower),
        ping=HEARTBEAT,
        send_timeout=30,
        shutdown_event=_ServerStops(follower),  # type: ignore[arg-type]  # all it does is to set it
        shutdown_grace_period=LET_GO_WITHIN,
    )


@dataclass(frozen=True, slots=True)
class _ServerStops:
    follower: Follower

    def set(self) -> None:
        self.follower.news.put_nowait(None)


async def _entries(follower: Follower) -> AsyncIterator[ServerSentEvent]:
    ends_at = asyncio.get_running_loop().time() + LONGEST
    while True:
        try:
            async with asyncio.timeout_at(ends_at):
                news = await follower.news.get()
        except TimeoutError:
            return
        if news is None:
            return
        event = news.event
        yield ServerSentEvent(event.model_dump_json(), id=str(event.id), event=event.kind, retry=COME_BACK)
        if news.is_final and follower.news.empty():
            return
