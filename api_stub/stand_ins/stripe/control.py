"""Not Stripe: the levers of the stand-in, under `/_control`, and its own books to reconcile against."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from api_stub.stand_ins.stripe import disputes, idempotency, refunds
from api_stub.stand_ins.stripe.errors import JsonObject
from api_stub.stand_ins.stripe.faults import Fault
from api_stub.stand_ins.stripe.gate import Gate
from api_stub.stand_ins.stripe.ledger import Ledger

BOOKS = {
    "customers": "customer",
    "payment_intents": "payment_intent",
    "charges": "charge",
    "refunds": "refund",
    "disputes": "dispute",
}


class Webhook(BaseModel):
    """What is left out stays as it is. `events`: patterns such as `payment_intent.*`."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = None
    secret: str | None = None
    events: list[str] | None = None
    copies: int | None = Field(default=None, ge=1, le=10)
    """how often each event is sent although it was taken the first time"""
    delay: float | None = Field(default=None, ge=0)

    def apply(self, ledger: Ledger) -> None:
        values = self.model_dump(exclude_none=True)
        if self.events is not None:
            values["events"] = ",".join(self.events)
        for name, value in values.items():
            ledger.set(f"webhook_{name}", str(value))


class Change(BaseModel):
    """What another integration, or a newer Stripe, makes of an object; no event tells of it."""

    model_config = ConfigDict(extra="forbid")

    id: str
    values: JsonObject

    def apply(self, ledger: Ledger) -> JsonObject | None:
        found = next((made for kind in BOOKS.values() if (made := ledger.find(kind, self.id))), None)
        return None if found is None else ledger.save(found | self.values)


class Dispute(BaseModel):
    """What the cardholder's bank does: opens a dispute of the charge, or moves its open one to another status. An appeal opens one that was won or lost again."""

    model_config = ConfigDict(extra="forbid")

    payment_intent: str
    status: Literal[
        "warning_needs_response", "warning_under_review", "warning_closed", "needs_response", "under_review", "won", "lost",
        "prevented", "appeal_needs_response", "appeal_under_review",
    ]  # fmt: skip
    amount: int | None = Field(default=None, gt=0)
    """of a new dispute, in Stripe's units; None: all of the charge"""
    reason: str = "fraudulent"
    returned: int = Field(default=0, ge=0)
    """what the bank gives back of a dispute that is `lost` (partially won), in Stripe's units"""
    case_type: Literal["block", "resolution"] = "block"
    """of one that is `prevented`: with a resolution the cardholder has the money"""

    def apply(self, ledger: Ledger) -> JsonObject | None:
        intent = ledger.find("payment_intent", self.payment_intent)
        charge = ledger.find("charge", intent["latest_charge"] or "") if intent is not None else None
        if charge is None or not charge["paid"]:
            return None
        return disputes.set_status(
            ledger, charge, self.status, amount=self.amount, reason=self.reason,
            returned=self.returned, prevented_by=self.case_type,
        )  # fmt: skip


class RestrictedKey(BaseModel):
    """A key that may do only what its permissions say, e.g. `rak_customer_write`; it ends with the process."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(pattern="^rk_test_")
    permissions: list[str]


routes = APIRouter(prefix="/_control")


async def _gate(request: Request) -> Gate:
    gate: Gate = request.app.state.gate
    return gate


GateHere = Annotated[Gate, Depends(_gate)]


@routes.post("/faults", status_code=201)
async def add_fault(gate: GateHere, fault: Fault) -> Fault:
    gate.faults.active.append(fault)
    return fault


@routes.get("/faults")
async def list_faults(gate: GateHere) -> list[Fault]:
    return gate.faults.active


@routes.delete("")
async def begin_anew(gate: GateHere) -> list[Fault]:
    """Forget all that was made, and let nothing fail any more; returns the faults that were switched on. Settings stay."""
    had = [*gate.faults.active]
    gate.faults.clear()
    gate.rate_limit.per_second = None
    await gate.store.run(_forget)
    return had


@routes.delete("/faults")
async def clear_faults(gate: GateHere) -> dict[str, int]:
    return {"cleared": gate.faults.clear()}


@routes.get("/books")
async def books(gate: GateHere) -> JsonObject:
    return await gate.store.run(_books)


@routes.post("/expire-idempotency-keys")
async def expire_keys(gate: GateHere) -> dict[str, int]:
    return {"expired": await gate.store.run(idempotency.expire_all)}


@routes.post("/webhook")
async def set_webhook(gate: GateHere, webhook: Webhook) -> JsonObject:
    await gate.store.run(webhook.apply)
    return await gate.store.run(_webhook)


@routes.get("/webhook")
async def show_webhook(gate: GateHere) -> JsonObject:
    return await gate.store.run(_webhook)


@routes.post("/webhook/resend")
async def resend(gate: GateHere, event: Annotated[str, Body(embed=True)]) -> JsonObject:
    if not await gate.store.run(lambda ledger: _resend(ledger, event)):
        raise HTTPException(404, f"no event {event}")
    return {"event": event}


@routes.post("/latency")
async def set_latency(gate: GateHere, seconds: Annotated[float, Body(embed=True, ge=0)]) -> dict[str, float]:
    gate.latency = seconds
    return {"seconds": seconds}


@routes.post("/rate-limit")
async def set_rate_limit(
    gate: GateHere, per_second: Annotated[int | None, Body(ge=1)], second: Annotated[float, Body(gt=0)] = 1.0
) -> dict[str, int | None]:
    gate.rate_limit.per_second, gate.rate_limit.second = per_second, second
    return {"per_second": per_second, "refused": gate.rate_limit.refused}


@routes.post("/settle-after")
async def set_settling(gate: GateHere, seconds: Annotated[float, Body(embed=True, ge=0)]) -> dict[str, float]:
    await gate.store.run(lambda ledger: ledger.settle_after(seconds))
    return {"seconds": seconds}


@routes.post("/change")
async def change(gate: GateHere, given: Change) -> JsonObject:
    changed = await gate.store.run(given.apply)
    if changed is None:
        raise HTTPException(404, f"no object {given.id}")
    return changed


@routes.post("/dispute")
async def set_dispute(gate: GateHere, given: Dispute) -> JsonObject:
    dispute = await gate.store.run(given.apply)
    if dispute is None:
        raise HTTPException(404, f"{given.payment_intent} has taken no money")
    return dispute


@routes.post("/restricted-key")
async def set_restricted_key(gate: GateHere, given: RestrictedKey) -> RestrictedKey:
    gate.restricted[given.key] = frozenset(given.permissions)
    return given


@routes.post("/funds")
async def set_funds(gate: GateHere, enough: Annotated[bool, Body(embed=True)]) -> dict[str, bool]:
    await gate.store.run(lambda ledger: refunds.set_funds(ledger, enough=enough))
    return {"enough": enough}


def _books(ledger: Ledger) -> JsonObject:
    return {name: ledger.select(kind, {}, newest_first=False) for name, kind in BOOKS.items()}


def _forget(ledger: Ledger) -> None:
    """All objects, keys, events and what was to come."""
    for table in ("objects", "idempotency_keys", "deliveries", "later"):
        ledger.connection.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours


def _webhook(ledger: Ledger) -> JsonObject:
    row = ledger.connection.execute(
        "SELECT COUNT(*) AS asked, COUNT(delivered) AS delivered FROM deliveries"
    ).fetchone()
    events = ledger.setting("webhook_events").split(",")
    return {
        "url": ledger.setting("webhook_url"),
        "events": events,
        "waiting": row["asked"] - row["delivered"],
        "delivered": row["delivered"],
    }


def _resend(ledger: Ledger, event: str) -> bool:
    if ledger.find("event", event) is None:
        return False
    ledger.deliver(event, 0.0)
    return True
