"""The two operations of VIES's REST service, faults struck first, every question written down."""

import asyncio
import json
import re
import secrets
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from api_stub.stand_ins.fault_book import Fault, FaultBook
from api_stub.stand_ins.serving import reset_connection
from api_stub.stand_ins.vies import answers
from api_stub.stand_ins.vies.answers import Answer
from api_stub.stand_ins.vies.register import COUNTRIES, Entry, Register

BASE_PATH = "/taxation_customs/vies/rest-api"
ACCEPTED = re.compile(r"[0-9A-Za-z+*.]{2,12}")
"""What the service's own schema takes as a number; whether it is well-formed is the member state's business."""

TRANSPORT_FAULTS = ("http_500", "http_503", "hang", "slow", "reset", "html", "truncated")
FAULTS = answers.OUTAGES + answers.REFUSALS + TRANSPORT_FAULTS

SORRY_PAGE = "<!doctype html><title>Service unavailable</title><h1>The service is temporarily unavailable</h1>"

SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (id INTEGER PRIMARY KEY, at TEXT NOT NULL, operation TEXT NOT NULL, body TEXT NOT NULL);
"""


class Service:
    def __init__(self, state: sqlite3.Connection) -> None:
        state.executescript(SCHEMA)
        self.state, self.register, self.faults = state, Register(state), FaultBook(state)
        self.router = APIRouter(prefix=BASE_PATH)
        self.router.add_api_route("/check-vat-number", self.check_vat_number, methods=["POST"])
        self.router.add_api_route("/check-status", self.check_status, methods=["GET"])

    async def check_vat_number(self, request: Request) -> Response:
        body = await _json_object(request)
        if body is None:
            return _as_response(answers.error("VOW-ERR-2", status=400))
        self.state.execute(
            "INSERT INTO requests (at, operation, body) VALUES (?, 'check-vat-number', ?)",
            (_now().isoformat(), json.dumps(body)),
        )
        facts = {"country": str(body.get("countryCode", "")), "number": str(body.get("vatNumber", ""))}
        fault = self.faults.strike(facts)
        if fault is None:
            return _as_response(self._check(body))
        return await _go_wrong(fault, request, lambda: self._check(body))

    async def check_status(self) -> Response:
        down = {
            fault.match.get("country", "*").upper() for fault in self.faults.all() if fault.kind == "MS_UNAVAILABLE"
        }
        countries = {country: not down & {country, "*"} for country in COUNTRIES}
        everything = any(fault.kind == "SERVICE_UNAVAILABLE" for fault in self.faults.all())
        return JSONResponse(answers.availability(countries, available=not everything))

    def _check(self, body: dict[str, Any]) -> Answer:
        country, number = str(body.get("countryCode") or "").upper(), str(body.get("vatNumber") or "").upper()
        requester = str(body.get("requesterMemberStateCode") or ""), str(body.get("requesterNumber") or "")
        if any(requester) and not all(requester):
            return answers.error("VOW-ERR-11", status=400)
        if country not in COUNTRIES or not ACCEPTED.fullmatch(number):
            return answers.error("INVALID_INPUT")
        if any(requester) and not self._is_requester(*requester):
            return answers.error("INVALID_REQUESTER_INFO")
        entry = self.register.look_up(country, number)
        return _verdict(country, number, entry, receipt=entry.valid and any(requester))

    def _is_requester(self, country: str, number: str) -> bool:
        return (
            country in (*COUNTRIES, "EU")
            and bool(ACCEPTED.fullmatch(number))
            and self.register.look_up(country, number).valid
        )


async def _go_wrong(fault: Fault, request: Request, otherwise: Callable[[], Answer]) -> Response:
    if fault.kind in {"hang", "slow"}:
        await asyncio.sleep(fault.seconds)
    if fault.kind == "slow":
        return _as_response(otherwise())
    if fault.kind in {"reset", "hang"}:
        reset_connection(request)
        return Response()
    return _wrong_answer(fault, otherwise)


def _wrong_answer(fault: Fault, otherwise: Callable[[], Answer]) -> Response:
    match fault.kind:
        case "http_500":
            return _as_response(answers.error("VOW-ERR-1", status=fault.code or 500))
        case "http_503":
            return HTMLResponse(SORRY_PAGE, status_code=fault.code or 503)
        case "html":
            return HTMLResponse(SORRY_PAGE)
        case "truncated":
            return Response(json.dumps(otherwise().body)[:40], media_type="application/json")
        case code:
            return _as_response(answers.error(code, status=fault.code or 200))


def _verdict(country: str, number: str, entry: Entry, *, receipt: bool) -> Answer:
    """A receipt is given for valid numbers to those who said who they are."""
    consultation_number = f"WAPI{secrets.token_hex(6).upper()}" if receipt else ""
    return answers.verdict(country, number, entry, asked_at=_now(), consultation_number=consultation_number)


async def _json_object(request: Request) -> dict[str, Any] | None:
    try:
        body = json.loads(await request.body())
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _as_response(answer: Answer) -> Response:
    return JSONResponse(answer.body, status_code=answer.status)


def _now() -> datetime:
    return datetime.now(UTC)
