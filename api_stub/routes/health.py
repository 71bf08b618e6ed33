"""Is this process alive, and can it do its work?"""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Literal

import structlog
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from redis.exceptions import RedisError
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from api_stub import broker_check, database_check
from api_stub.edge.head_requests import HeadRoute
from api_stub.parts import Parts
from api_stub.schemas.values import Shown
from models.messages import Heartbeat
from tasks.wiring import begin
from worker.single_redis import NotOneServer

log = structlog.get_logger(__name__)
router = APIRouter(tags=["operations"], route_class=HeadRoute)

WITHIN = 2.0
"""seconds in which the database has to answer: one that is frozen keeps its connections open, and says nothing for as long as it is"""
FRESH = timedelta(seconds=60)
"""a sweep that has not run for this long has stopped: beat does not send it, or no worker takes it"""
AHEAD = timedelta(seconds=5)
"""a last sweep further in the future than this means that the clock was set back: beat sends nothing until that moment comes again"""
_SET_BACK = "the last sweep is dated in the future: PostgreSQL's clock was set back. If beat's was too, beat sends nothing until its clock catches up. Restart beat"
_STOPPED = (
    "no sweep ran in the last minute: beat does not run, no worker takes queue upkeep, "
    "or the clocks of beat's host and the workers' differ by a minute or more, so that workers drop what beat sends"
)

State = Literal["ok", "failing"]
Check = Literal["ok", "failing", "unknown"]


class Alive(Shown):
    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """`checks` names each thing this process needs; `beat` is `unknown` until the first sweep has run, for a minute after the start at most.

    `schema` is `ok` with a newer release's database, too: while a new release is rolled out, the old one works on with it.
    """

    status: State
    checks: dict[str, Check]
    advice: str | None = None
    """what to do, where `failing` does not say it"""


@router.get("/healthz", summary="The process answers")
async def healthz() -> Alive:
    # In the event loop: it needs no thread, so it answers while all of them wait for somebody slow.
    return Alive()


@router.get(
    "/readyz",
    summary="Database, broker and beat are there",
    response_model_exclude_none=True,
    responses={503: {"model": Readiness, "description": "What is `failing` is named"}},
)
async def readyz(request: Request, response: Response) -> Readiness:
    state = request.app.state
    parts: Parts = state.parts
    # In threads apart: those of the requests may all wait for the same database.
    apart = state.probe_threads = getattr(state, "probe_threads", None) or CapacityLimiter(4)
    asked: asyncio.Task[Readiness] | None = getattr(state, "database_asked", None)
    if asked is None or asked.done():  # one that still waits is enough
        up_for = timedelta(seconds=time.monotonic() - state.started)
        asking = to_thread.run_sync(partial(_database_and_beat, up_for=up_for), limiter=apart, abandon_on_cancel=True)
        asked = state.database_asked = asyncio.ensure_future(asking)
    broker, advice = await to_thread.run_sync(_broker, parts.require_broker, limiter=apart)
    await asyncio.wait({asked}, timeout=WITHIN)
    readiness = asked.result().model_copy(deep=True) if asked.done() else _silent()
    readiness.checks["broker"] = broker
    if readiness.checks["beat"] == "failing":
        if broker == "failing" and readiness.advice == _STOPPED:
            readiness.advice = None  # beat may well run: what it sends arrives nowhere
        log.warning("not ready: beat", **({"advice": readiness.advice} if readiness.advice else {}))
    readiness.advice = readiness.advice or advice
    if "failing" in readiness.checks.values():
        readiness.status = "failing"
        response.status_code = 503
    return readiness


def _broker(require: Callable[[], None]) -> tuple[State, str | None]:
    """With what to do, where that is known."""
    try:
        require()
    except (RedisError, NotOneServer) as error:
        said = broker_check.told(error)
        log.warning("not ready: broker", error=type(error).__name__, **said)
        return "failing", said.get("advice")
    return "ok", None


def _silent() -> Readiness:
    log.warning("not ready: database", error=f"no answer within {WITHIN:g} s")
    return _away()


def _away(advice: str | None = None) -> Readiness:
    checks: dict[str, Check] = {"database": "failing", "schema": "unknown", "beat": "unknown"}
    return Readiness(status="ok", checks=checks, advice=advice)


def _database_and_beat(*, up_for: timedelta) -> Readiness:
    try:
        with begin() as session:
            if database_check.is_behind(session):
                log.warning("not ready: schema", advice=database_check.BEHIND)
                checks: dict[str, Check] = {"database": "ok", "schema": "failing", "beat": "unknown"}
                return Readiness(status="ok", checks=checks, advice=database_check.BEHIND)
            age = session.scalar(select(func.clock_timestamp() - Heartbeat.at).where(Heartbeat.name == "sweep"))
            database_check.require_writes(session)
    except SQLAlchemyError as error:
        told = database_check.told(error)
        log.warning("not ready: database", error=type(error).__name__, **told)
        return _away(told.get("advice"))
    readiness = Readiness(status="ok", checks={"database": "ok", "schema": "ok", "beat": _beat(age, up_for)})
    if readiness.checks["beat"] == "failing":
        readiness.advice = _SET_BACK if age is not None and age < -AHEAD else _STOPPED
    return readiness


def _beat(age: timedelta | None, up_for: timedelta) -> Check:
    """age: of the last sweep, by PostgreSQL's clock; None: there was none yet, as may be right after the first start."""
    if age is None:
        return "unknown" if up_for < FRESH else "failing"
    return "ok" if -AHEAD <= age < FRESH else "failing"
