"""Cleans text that somebody else wrote, for places that need plain text."""

import re
from datetime import UTC, datetime
from typing import Final

UNPRINTABLE: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u115f\u1160\u3164\uffa0\U000e0000-\U000e007f]+"
)
"""line breaks, control characters, marks that change the direction of all that follows (a mark within a name, 200E or 200F, does not), and
letters and tags that nobody sees
"""
_WEB_ADDRESS: Final = re.compile(r"://|(?<!\w)www\.", re.IGNORECASE)


def one_line(text: str) -> str:
    """`text` without unprintable characters: a name must neither pose as our own text nor control a terminal."""
    return UNPRINTABLE.sub(" ", text).strip()


def sortable(value: object) -> str:
    """A time always has the same form, so that as text it sorts as it does as time."""
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else str(value)


def printable_lines(text: str) -> str:
    """`one_line` for each line of `text`; half of a surrogate pair, which no file or database accepts, becomes a question mark."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return "\n".join(map(one_line, whole.split("\n"))).strip()


LONGEST_NAME: Final = 200
"""of an operator, in each table that names one"""


def typed(text: str) -> str:
    """What an operator typed, on one line, safe for the database and a terminal."""
    return one_line(printable_lines(text))


def name_typed(text: str) -> str:
    """`typed` for the operator's own name, which is cut where its column ends."""
    return typed(text)[:LONGEST_NAME]


def is_printable(text: str, *, lines: bool = False) -> bool:
    """lines: several lines are allowed."""
    return UNPRINTABLE.search(text.replace("\n", "") if lines else text) is None


def is_blank(text: str) -> bool:
    """Whether it contains neither a letter nor a digit. Marks and joiners alone show nothing."""
    return not any(character.isalnum() for character in text)


def looks_encoded(address: str) -> bool:
    """Whether part of an email address reads like an encoded word (RFC 2047), which some mail programs decode: it shows another address."""
    return "=?" in address


def names_a_web_address(text: str) -> bool:
    """Whether `text` contains `://` or `www.`. A bare domain does not count, because many companies are named like one."""
    return _WEB_ADDRESS.search(text) is not None
