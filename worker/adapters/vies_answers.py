"""VIES's REST answers: what is a verdict about a number, what is an outage, what is our own mistake.

VIES reports most of its outages as HTTP 200 with `{"actionSucceed": false, "errorWrappers": [{"error": CODE}]}`.
"""

import json
import re
from typing import Any

from tasks.errors import Misconfigured, NumberRejected
from tasks.plain_text import printable_lines

NOT_SAID = "---"
LONGEST = {"requestIdentifier": 60, "name": 500, "address": 1000}
"""of what is kept as evidence: so many characters fit into its columns"""

PASSING = frozenset(
    {
        "SERVICE_UNAVAILABLE",
        "MS_UNAVAILABLE",
        "TIMEOUT",
        "GLOBAL_MAX_CONCURRENT_REQ",
        "GLOBAL_MAX_CONCURRENT_REQ_TIME",
        "MS_MAX_CONCURRENT_REQ",
        "MS_MAX_CONCURRENT_REQ_TIME",
    }
)
"""Codes that may be gone in a second. VAT_BLOCKED and IP_BLOCKED are not: asking again makes them worse."""


class Unavailable(Exception):
    """No answer about the number. reason: VIES's code, or ours in lower case; passing: asking again soon may help."""

    def __init__(self, reason: str, *, passing: bool) -> None:
        super().__init__(reason)
        self.reason, self.passing = reason, passing


def question_about(number: str, requester: str | None) -> dict[str, str]:
    question = {"countryCode": number[:2], "vatNumber": number[2:]}
    if requester:
        question |= {"requesterMemberStateCode": requester[:2], "requesterNumber": requester[2:]}
    for whose, text in (("the customer's", number), ("the seller's own", requester or number)):
        if not re.fullmatch(r"[A-Z]{2}[0-9A-Z+*]{2,12}", text):
            raise Misconfigured(
                f"{whose} VAT number must come as VIES wants it: two letters for the country, then the number"
            )
    return question


def verdict(status: int, body: bytes, question: dict[str, str], *, at_home: bool) -> dict[str, Any]:
    """The verdict, or what stands in its way. Only `"valid": true or false` about the number asked is a verdict.

    at_home: VIES's own address was asked, and not one that somebody may have mistyped.
    """
    answer = _json_object(body)
    code = _error_code(answer)
    if code == "INVALID_REQUESTER_INFO":
        raise Misconfigured(f"VIES does not accept the seller's own VAT number, see PRORATA_SELLER_VAT_NUMBER: {code}")
    if code == "INVALID_INPUT":
        raise NumberRejected(f"VIES rejects the request itself: {code}")
    if 400 <= status < 500 and code.startswith("VOW-ERR"):
        raise Misconfigured(f"VIES rejects the request itself: {code}")
    if code:
        raise Unavailable(code, passing=code in PASSING or status >= 500)
    if status in {400, 404, 405, 415} and not at_home:
        raise Misconfigured(f"no VIES service at the configured address (HTTP {status})")
    if status != 200:
        raise Unavailable(f"http_{status}", passing=status >= 500 or status in {408, 429})
    if not isinstance(answer.get("valid"), bool) or not _is_about(answer, question) or not _is_readable(answer):
        raise Unavailable("unexpected_answer", passing=True)
    return answer


def _is_about(answer: dict[str, Any], question: dict[str, str]) -> bool:
    return all(str(answer.get(key, question[key])).upper() == question[key] for key in ("countryCode", "vatNumber"))


def _is_readable(answer: dict[str, Any]) -> bool:
    return all(isinstance(answer.get(field), str | None) for field in LONGEST)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _error_code(answer: dict[str, Any]) -> str:
    """The first code of `errorWrappers`, "" where there is none; a code is a plain word, anything else is not shown."""
    wrappers = answer.get("errorWrappers")
    first = wrappers[0] if isinstance(wrappers, list) and wrappers else None
    code = first.get("error") if isinstance(first, dict) else None
    return code if isinstance(code, str) and re.fullmatch(r"[A-Z0-9_-]{1,60}", code) else ""


def said(answer: dict[str, Any], field: str) -> str | None:
    """The text of a `field` of LONGEST as it can be kept: printable, and not too long. None where the registry keeps it to itself."""
    text = printable_lines(answer.get(field) or "")[: LONGEST[field]].strip()
    return None if text in {"", NOT_SAID} else text
