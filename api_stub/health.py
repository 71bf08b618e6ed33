"""Is this process alive, and can it do its work?"""

from datetime import timedelta
from typing import Literal

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from models.messages import Heartbeat
from tasks.wiring import begin
from worker import certificates

log = structlog.get_logger(__name__)
router = APIRouter(tags=["operations"])

FRESH = timedelta(seconds=60)
"""a recurring task that did not run for longer is not running"""

State = Literal["ok", "failing"]


class Alive(BaseModel):
    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """`checks` names each thing this process needs; `beat` is `unknown` until the first recurring task has run."""

    status: State
    checks: dict[str, Literal["ok", "failing", "unknown"]]


@router.get("/healthz", summary="The process answers")
def healthz() -> Alive:
    return Alive()


@router.get(
    "/readyz",
    summary="Database, broker and beat are there",
    responses={503: {"model": Readiness, "description": "What is `failing` is named"}},
)
def readyz(request: Request, response: Response) -> Readiness:
    broker: State = "ok" if request.app.state.parts.broker_answers() else "failing"
    readiness = Readiness(status="ok", checks={**_database_and_beat(), "broker": broker})
    if "failing" in readiness.checks.values():
        readiness.status = "failing"
        response.status_code = 503
    return readiness


def _database_and_beat() -> dict[str, Literal["ok", "failing", "unknown"]]:
    try:
        with begin() as session:
            age = session.scalar(select(func.clock_timestamp() - func.max(Heartbeat.at)))
    except SQLAlchemyError as error:
        advice = certificates.what_to_do(str(error), "PRORATA_DATABASE_URL")
        log.warning("not ready: database", error=type(error).__name__, **({"advice": advice} if advice else {}))
        return {"database": "failing", "beat": "unknown"}
    if age is None:
        return {"database": "ok", "beat": "unknown"}
    return {"database": "ok", "beat": "ok" if age < FRESH else "failing"}
