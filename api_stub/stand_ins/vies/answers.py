"""VIES's answers, as its REST service words them.

An outage comes as HTTP 200 with the code in the body; only malformed requests (400) and its own crashes (500) differ.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api_stub.stand_ins.vies.register import Entry

OUTAGES = (
    "SERVICE_UNAVAILABLE",
    "MS_UNAVAILABLE",
    "TIMEOUT",
    "VAT_BLOCKED",
    "IP_BLOCKED",
    "GLOBAL_MAX_CONCURRENT_REQ",
    "GLOBAL_MAX_CONCURRENT_REQ_TIME",
    "MS_MAX_CONCURRENT_REQ",
    "MS_MAX_CONCURRENT_REQ_TIME",
)
REFUSALS = ("INVALID_INPUT", "INVALID_REQUESTER_INFO")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any]


def error(code: str, *, status: int = 200) -> Answer:
    return Answer(status, {"actionSucceed": False, "errorWrappers": [{"error": code}]})


def verdict(country: str, number: str, entry: Entry, *, asked_at: datetime, consultation_number: str) -> Answer:
    trader = {f"trader{field}": "---" for field in ("Name", "Street", "PostalCode", "City", "CompanyType")}
    body = {
        "countryCode": country,
        "vatNumber": number,
        "requestDate": asked_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "valid": entry.valid,
        "requestIdentifier": consultation_number,
        "name": entry.name,
        "address": entry.address,
        **trader,
        **{f"{field}Match": "NOT_PROCESSED" for field in trader},
    }
    return Answer(200, body)


def availability(countries: dict[str, bool], *, available: bool) -> dict[str, Any]:
    listed = [
        {"countryCode": country, "availability": "Available" if up else "Unavailable"}
        for country, up in countries.items()
    ]
    return {"vow": {"available": available}, "countries": listed}
