"""The way of a request, in Stripe's order: key, rate limit, parameters, idempotency, execution, answer."""

import asyncio
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api_stub.stand_ins.serving import close_connection, reset_connection
from api_stub.stand_ins.stripe import forms, idempotency
from api_stub.stand_ins.stripe.access import account_of, expired, key_of, require_permission
from api_stub.stand_ins.stripe.errors import Answer, ApiError
from api_stub.stand_ins.stripe.execution import Work
from api_stub.stand_ins.stripe.faults import Fault, Faults, Kind
from api_stub.stand_ins.stripe.ledger import API_VERSION, new_id
from api_stub.stand_ins.stripe.operations import find
from api_stub.stand_ins.stripe.rate_limit import RateLimit, exceeded
from api_stub.stand_ins.stripe.store import Store

LONGEST_BODY = 1_000_000
SLOW = frozenset({"payment_intents.create", "payment_intents.confirm", "refunds.create"})
HANGS = frozenset({Kind.HANG, Kind.HANG_HALF_WAY})
LOCKED = (
    "This object cannot be accessed right now because another API request or Stripe process is currently accessing it."
)


@dataclass
class Gate:
    store: Store
    api_keys: frozenset[str]
    faults: Faults = field(default_factory=Faults)
    public_url: str | None = None
    latency: float = 0.0
    """seconds a bank takes for each payment and refund"""
    restricted: dict[str, frozenset[str]] = field(default_factory=dict)
    """restricted keys, each with its permissions"""
    rate_limit: RateLimit = field(default_factory=RateLimit)
    in_flight: set[tuple[str, str]] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    """ids of what a request under way will change"""
    late: set[asyncio.Task[None]] = field(default_factory=set)
    """effects still to come, of requests that are already answered"""

    async def handle(self, request: Request) -> Response:
        request_id = new_id("req")
        try:
            answer = await self._answer(request, request_id)
        except ApiError as error:
            answer = error.answer
        if answer is None:
            return Response(status_code=500)  # nobody is left to read it
        headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION} | answer.headers
        if key := request.headers.get("idempotency-key"):
            headers["Idempotency-Key"] = key
        return JSONResponse(answer.body, answer.status, headers)

    async def _answer(self, request: Request, request_id: str) -> Answer | None:
        api_key = key_of(request, self.api_keys | self.restricted.keys())
        found = find(request.method, request.url.path)
        if found is None:
            raise ApiError(
                404, "invalid_request_error", f"Unrecognized request URL ({request.method}: {request.url.path})."
            )
        operation, identifier = found
        if api_key in self.restricted:
            require_permission(api_key, self.restricted[api_key], operation)
        self.rate_limit.take(operation.name)
        sent = await _sent(request)
        fault = self.faults.take(operation.name, request.url.path)  # no await from here until the key is in flight
        if fault is not None and fault.kind is Kind.CONNECTION_RESET:
            reset_connection(request)
            return None
        _refuse_early(fault, api_key)
        params = operation.read(_parameters(sent))
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        base_url = self.public_url or str(request.base_url).rstrip("/")
        scope = account_of(request, api_key)
        work = Work(operation, request.url.path, scope, key, params, identifier, base_url, request_id, fault)
        answer = await self._execute(work)
        if fault is not None and fault.kind is Kind.ANSWER_LOST:
            close_connection(request)
            return None
        if fault is not None and fault.kind is Kind.SERVER_ERROR_BEFORE_EFFECT and not idempotency.is_replay(answer):
            happening = asyncio.create_task(self._happen_late(work, fault))
            self.late.add(happening)
            happening.add_done_callback(self.late.discard)
        return answer

    async def _happen_late(self, work: Work, fault: Fault) -> None:
        await fault.hang()
        await self.store.run(work.happen_late)

    async def _execute(self, work: Work) -> Answer:
        if work.operation.method == "POST" and work.identifier in self.held:
            raise ApiError(429, "invalid_request_error", LOCKED, executed=False, code="lock_timeout")
        if work.key is None:
            return await self._run_slowly(work)
        if len(work.key) > idempotency.LONGEST_KEY:
            raise idempotency.too_long(work.key)
        holder = (work.scope, work.key)
        if holder in self.in_flight:
            raise idempotency.in_flight(work.key)
        self.in_flight.add(holder)
        try:
            if not self._is_slow(work):
                return await self.store.run(work.recall_or_run)
            if (kept := await self.store.run(work.recall)) is not None:
                return kept
            return await self._run_slowly(work)
        finally:
            self.in_flight.discard(holder)

    async def _run_slowly(self, work: Work) -> Answer:
        """What is to be charged is there before its bank has answered; until then nobody else may change it."""
        if self._is_slow(work) and not (work.fault is not None and work.fault.kind is Kind.HANG):
            work = await self.store.run(work.begin)
        if work.begun is not None:
            self.held.add(work.begun)
        try:
            await self._wait(work)
            return await self.store.run(work.run)
        finally:
            self.held.discard(work.begun or "")

    def _is_slow(self, work: Work) -> bool:
        hangs = work.fault is not None and work.fault.kind in HANGS
        return hangs or bool(self.latency and work.operation.name in SLOW)

    async def _wait(self, work: Work) -> None:
        if work.fault is not None and work.fault.kind in HANGS:
            await work.fault.hang()
        if self.latency and work.operation.name in SLOW:
            await asyncio.sleep(self.latency)


def _refuse_early(fault: Fault | None, api_key: str) -> None:
    if fault is None or fault.kind not in (Kind.KEY_REFUSED, Kind.RATE_LIMIT, Kind.UNAVAILABLE):
        return
    if fault.kind is Kind.KEY_REFUSED:
        raise expired(api_key)
    headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    if fault.kind is Kind.RATE_LIMIT:
        raise exceeded(headers)
    headers["Stripe-Should-Retry"] = "true"
    raise ApiError(503, "api_error", "Stripe is temporarily unavailable.", executed=False, headers=headers)


async def _sent(request: Request) -> bytes:
    """The parameters as they came: in the body of a POST, otherwise in the query."""
    if request.method != "POST":
        return request.url.query.encode()
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            raise ApiError(413, "invalid_request_error", "Request body is too large.", executed=False)
    return body


def _parameters(sent: bytes) -> forms.Tree:
    try:
        return forms.parse(sent.decode())
    except UnicodeDecodeError:
        raise ApiError(400, "invalid_request_error", "Invalid UTF-8 in the request body.", executed=False) from None
