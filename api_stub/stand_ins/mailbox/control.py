"""The mailbox's back door, `/_control`: faults in the SMTP dialogue, and a new beginning."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import Field

from api_stub.stand_ins.fault_book import FaultBook, FaultOrder
from api_stub.stand_ins.mailbox.faults import KINDS, Stage
from api_stub.stand_ins.mailbox.receiving import Listener
from api_stub.stand_ins.mailbox.store import Store

BEFORE_EMAILS = frozenset({Stage.GREETING, Stage.LOGIN})
"""stages that a client passes only once per connection, however many emails it sends"""


class MailFault(FaultOrder):
    recipient: str | None = Field(default=None, description="only this address; `*` and `?` allowed; none: all")
    sender: str | None = Field(default=None, description="only from this address; `*` and `?` allowed; none: all")


def control(store: Store, faults: FaultBook, listener: Listener) -> APIRouter:
    router = APIRouter(prefix="/_control")

    @router.delete("")
    async def begin_anew() -> dict[str, Any]:
        """Delete emails and faults; returns the faults that were switched on."""
        had = await switched_on()
        await switch_off()
        store.delete_all()
        return had

    @router.post("/faults", status_code=201)
    async def switch_on(fault: MailFault) -> dict[str, Any]:
        if fault.kind not in KINDS:
            raise HTTPException(422, f"unknown kind {fault.kind!r}; known: {', '.join(KINDS)}")
        if fault.kind == "down":
            if fault.times or fault.recipient or fault.sender:
                raise HTTPException(422, "down affects everybody, until the faults are cleared")
            await listener.close()
        if KINDS[fault.kind].stage in BEFORE_EMAILS:
            listener.end_kept()
        faults.add(fault, {"recipient": fault.recipient, "sender": fault.sender})
        return await switched_on()

    @router.get("/faults")
    async def switched_on() -> dict[str, Any]:
        return {"faults": [asdict(each) for each in faults.all()]}

    @router.delete("/faults", status_code=204)
    async def switch_off() -> None:
        faults.clear()
        await listener.open()

    return router
