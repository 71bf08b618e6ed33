"""The stand-in's back door, `/_control`: faults, the register, and what was asked."""

import json
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Request
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


routes = APIRouter(prefix="/_control")


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceHere = Annotated[Service, Depends(_service)]


@routes.delete("")
async def begin_anew(service: ServiceHere) -> dict[str, Any]:
    """Forget faults, register and questions; returns the faults that were switched on."""
    had = await switched_on(service)
    service.faults.clear()
    service.register.forget()
    service.state.execute("DELETE FROM requests")
    return had


@routes.post("/faults", status_code=201)
async def switch_on(service: ServiceHere, fault: ViesFault) -> dict[str, Any]:
    if fault.kind not in FAULTS:
        raise HTTPException(422, f"unknown kind {fault.kind!r}; known: {', '.join(FAULTS)}")
    service.faults.add(fault, {"country": fault.country, "number": fault.number})
    return await switched_on(service)


@routes.get("/faults")
async def switched_on(service: ServiceHere) -> dict[str, Any]:
    return {"faults": [asdict(each) for each in service.faults.all()]}


@routes.delete("/faults", status_code=204)
async def switch_off(service: ServiceHere) -> None:
    service.faults.clear()


@routes.post("/numbers", status_code=201)
async def register(service: ServiceHere, entry: RegisteredNumber) -> None:
    service.register.write(entry.number, valid=entry.status == "valid", name=entry.name, address=entry.address)


@routes.get("/requests")
async def asked(service: ServiceHere) -> dict[str, Any]:
    rows = service.state.execute("SELECT * FROM requests ORDER BY id").fetchall()
    return {"requests": [{"at": row["at"], "operation": row["operation"], **json.loads(row["body"])} for row in rows]}
