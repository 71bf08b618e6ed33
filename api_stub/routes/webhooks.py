"""The payment provider's notifications: signature checked, stored raw, answered at once; acted on later by a task."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Header, Request

from api_stub.edge.second_try import SecondTryRoute
from api_stub.problems.details import Problem
from api_stub.problems.problem_types import refuses
from api_stub.schemas.values import Shown
from api_stub.threads import in_thread
from tasks.charges import webhooks
from tasks.errors import Refused
from worker.webhook_endpoint import SIGNATURE_HEADER, WEBHOOK_PATH

log = structlog.get_logger(__name__)
router = APIRouter(tags=["webhooks"], route_class=SecondTryRoute)


class Received(Shown):
    received: bool = True


_EXAMPLE = {
    "id": "evt_1",
    "object": "event",
    "type": "payment_intent.succeeded",
    "data": {"object": {"id": "pi_1", "object": "payment_intent"}},
}


@router.post(
    WEBHOOK_PATH,
    summary="Stripe's events",
    responses=refuses("webhook-refused", "webhook-malformed", "internal-error", "temporarily-unavailable"),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}, "example": _EXAMPLE}},
        },
    },
)
async def stripe(
    request: Request,
    signature: Annotated[str, Header(alias=SIGNATURE_HEADER, max_length=2000)],
) -> Received:
    """No API key: the signature says who sends. A repeated event is stored once."""
    payload = await request.body()  # as it came: the signature is over these bytes
    try:
        event_id = await in_thread(lambda: webhooks.receive(payload, signature))
    except Refused as refused:
        log.warning("webhook refused", code=refused.code)
        raise _malformed() if refused.code == "malformed" else _refused() from None
    log.info("webhook received", event_id=event_id)
    return Received()


def _refused() -> Problem:
    return Problem(
        400, "webhook-refused", "The notification's signature does not hold, or is too old, or from the future."
    )


def _malformed() -> Problem:
    """Answered only to a sender who holds the secret."""
    return Problem(
        400, "webhook-malformed", "The signature holds, but the body is no event: JSON with `id`, `type` and `data`."
    )
