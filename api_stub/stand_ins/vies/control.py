"""The stand-in's back door, `/_control`: faults, the register, and what was asked."""

import json
from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from api_stub.stand_ins.fault_book import FaultOrder
from api_stub.stand_ins.vies.service import FAULTS, Service


class ViesFault(FaultOrder):
    country: str | None = Field(default=None, description="as VIES names it; none: all")
    number: str | None = Field(
        default=None, description="without the country's letters; `*` and `?` allowed; none: all"
    )


class RegisteredNumber(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: str = Field(pattern=r"^[A-Z]{2}[0-9A-Z+*.]{2,12}$", description="with the country's letters, EL for Greece")
    status: Literal["valid", "invalid"]
    name: str | None = None
    address: str | None = None


def control(service: Service) -> APIRouter:
    router = APIRouter(prefix="/_control")

    @router.post("/faults", status_code=201)
    async def switch_on(fault: ViesFault) -> dict[str, Any]:
        if fault.kind not in FAULTS:
            raise HTTPException(422, f"unknown kind {fault.kind!r}; known: {', '.join(FAULTS)}")
        service.faults.add(fault, {"country": fault.country, "number": fault.number})
        return {"faults": [asdict(each) for each in service.faults.all()]}

    @router.get("/faults")
    async def switched_on() -> dict[str, Any]:
        return {"faults": [asdict(each) for each in service.faults.all()]}

    @router.delete("/faults", status_code=204)
    async def switch_off() -> None:
        service.faults.clear()

    @router.post("/numbers", status_code=201)
    async def register(entry: RegisteredNumber) -> None:
        service.register.write(entry.number, valid=entry.status == "valid", name=entry.name, address=entry.address)

    @router.delete("/numbers", status_code=204)
    async def forget_numbers() -> None:
        service.register.forget()

    @router.get("/requests")
    async def asked() -> dict[str, Any]:
        rows = service.state.execute("SELECT * FROM requests ORDER BY id").fetchall()
        return {
            "requests": [{"at": row["at"], "operation": row["operation"], **json.loads(row["body"])} for row in rows]
        }

    @router.delete("/requests", status_code=204)
    async def forget_requests() -> None:
        service.state.execute("DELETE FROM requests")

    return router
