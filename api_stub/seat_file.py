"""A CSV of seat changes, read line by line: `email,action` with `assign` or `unassign`. Every bad line is told, by its number.

As spreadsheets save it in any country: with commas, semicolons or tabs, and empty cells behind the two.
"""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from threading import BoundedSemaphore
from typing import Final

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

from api_stub.problems.details import Problem
from tasks.upstream.seats import MAX_CHANGES, SeatAction, SeatChange

HEADER = ["email", "action"]
MOST_REPORTED = 100
AT_ONCE = 2
"""files that a process works on: each may take seconds of the processor that all requests share"""
COME_BACK = 5
"""seconds that the next one is asked to wait"""
_LONGEST_ADDRESS = 254
"""bytes, RFC 5321"""
_turns = BoundedSemaphore(AT_ONCE)
_SEPARATED: Final = re.compile(r"(?:sep=.?(?:\r\n?|\n))?[^,;\t\r\n]*([,;\t]?)", re.IGNORECASE)
"""up to what separates the header's cells; the line above it may tell Excel that"""

Row = tuple[int, list[str]]
"""the number of its line, and its fields"""


@dataclass(frozen=True, slots=True)
class SeatLine:
    line: int
    """in the file; the header is line 1"""
    change: SeatChange


@contextmanager
def turn() -> Iterator[None]:
    """While one of the `AT_ONCE` files is worked on. Raises Problem 429 rather than let another one wait in a thread."""
    if not _turns.acquire(blocking=False):
        detail = f"Other files of seats are being worked on; please send this one again in {COME_BACK} s."
        raise Problem(429, "too-many-requests", detail, headers={"Retry-After": str(COME_BACK)})
    try:
        yield
    finally:
        _turns.release()


def read(content: bytes) -> list[Row]:
    """Each line with something on it, after the header, in the file's order. Raises Problem 422."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        detail = "the file must be UTF-8; in a spreadsheet program, save it as CSV UTF-8"
        raise refused([{"line": 1, "detail": detail}]) from None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    try:
        first = islice(reader, 2 + MAX_CHANGES + 1)  # one too many at most: a file may be a million blank lines
        rows = [(reader.line_num, _cells(row)) for row in first]
    except csv.Error as error:
        raise refused([{"line": reader.line_num, "detail": f"this is not CSV: {error}"}]) from None
    if rows and rows[0][1][:1] and rows[0][1][0].lower().startswith("sep="):
        del rows[0]
    if not rows or [name.lower() for name in rows[0][1]] != HEADER:
        detail = "the header must be email,action (separated by a comma, a semicolon or a tab)"
        raise refused([{"line": rows[0][0] if rows else 1, "detail": detail}])
    changes = rows[1:]
    if len(changes) > MAX_CHANGES:
        detail = f"a file has at most {MAX_CHANGES} changes; a blank line counts as one"
        raise refused([{"line": changes[MAX_CHANGES][0], "detail": detail}])
    found = [(number, row) for number, row in changes if any(row)]
    if not found:
        raise refused([{"line": rows[0][0] + 1, "detail": "there is nothing to do: the file has a header only"}])
    return found


def _separator(text: str) -> str:
    found = _SEPARATED.match(text)
    return (found and found[1]) or ","


def _cells(row: list[str]) -> list[str]:
    """Without the empty cells behind the two."""
    cells = [cell.strip() for cell in row]
    while len(cells) > len(HEADER) and not cells[-1]:
        cells.pop()
    return cells


def unchecked(rows: list[Row]) -> list[SeatLine]:
    """The changes in rows that have the form of one, whatever stands there for an address, but for what PostgreSQL takes for no text."""
    return [
        SeatLine(number, SeatChange(SeatAction(fields[1].lower()), fields[0].lower()))
        for number, fields in rows
        if len(fields) == len(HEADER) and fields[1].lower() in tuple(SeatAction) and "\0" not in fields[0]
    ]


def checked(rows: list[Row]) -> list[SeatLine]:
    """A change for each row. Raises Problem 422 that names every line at fault. An address whose domain is not ASCII takes up to 2 ms to check."""
    domains: dict[str, ValidatedEmail] = {}
    lines: list[SeatLine] = []
    wrong: list[dict[str, object]] = []
    for number, fields in rows:
        try:
            lines.append(SeatLine(number, _change(fields, domains)))
        except ValueError as error:
            wrong.append({"line": number, "detail": str(error)})
        if len(wrong) >= MOST_REPORTED:
            break
    if wrong:
        raise refused(wrong)
    return lines


def refused(lines: list[dict[str, object]]) -> Problem:
    detail = f"Nothing was changed: line {lines[0]['line']}: {lines[0]['detail']}."
    return Problem(422, "seat-file-refused", detail, lines=lines)


def _change(row: list[str], domains: dict[str, ValidatedEmail]) -> SeatChange:
    """Raises ValueError that says what is wrong."""
    if len(row) != len(HEADER):
        raise ValueError(f"two fields are needed, email and action; found {len(row)}")
    email, action = row
    if action.lower() not in tuple(SeatAction):
        raise ValueError("the action must be assign or unassign")
    try:
        valid = _normalized(email, domains)
    except EmailNotValidError:
        raise ValueError("not a valid email address") from None
    return SeatChange(SeatAction(action.lower()), valid.lower())


def _normalized(email: str, domains: dict[str, ValidatedEmail]) -> str:
    """As `validate_email` has it, which looks at each domain once. Raises EmailNotValidError.

    domains: an address of each domain that was looked at; the new one is added.
    """
    user, _, domain = email.rpartition("@")
    if domain not in domains:
        domains[domain] = validate_email(email, check_deliverability=False)
        return domains[domain].normalized
    same = domains[domain]
    valid = validate_email(f"{user}@example.com", check_deliverability=False)
    normalized, in_ascii = (f"{valid.local_part}@{each}" for each in (same.domain, same.ascii_domain))
    if any(len(each.encode()) > _LONGEST_ADDRESS for each in (email, normalized, in_ascii)):
        raise EmailNotValidError("too long")
    return normalized
