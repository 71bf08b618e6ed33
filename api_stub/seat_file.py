"""A CSV of seat changes, read line by line: `email,action` with `assign` or `unassign`. Every bad line is told, by its number."""

import csv
import io
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from api_stub.problems.details import Problem
from tasks.upstream.seats import MAX_CHANGES, SeatAction, SeatChange

HEADER = ["email", "action"]
MOST_REPORTED = 100

Row = tuple[int, list[str]]
"""the number of its line, and its fields"""


@dataclass(frozen=True, slots=True)
class SeatLine:
    line: int
    """in the file; the header is line 1"""
    change: SeatChange


def read(content: bytes) -> list[Row]:
    """Each line with something on it, after the header, in the file's order. Raises Problem 422."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise refused([{"line": 1, "detail": "the file must be UTF-8"}]) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [(reader.line_num, [field.strip() for field in row]) for row in reader]
    except csv.Error as error:
        raise refused([{"line": reader.line_num, "detail": f"this is not CSV: {error}"}]) from None
    if not rows or [name.lower() for name in rows[0][1]] != HEADER:
        raise refused([{"line": 1, "detail": "the header must be email,action"}])
    found = [(number, row) for number, row in rows[1:] if any(row)]
    if not found:
        raise refused([{"line": 2, "detail": "there is nothing to do: the file has a header only"}])
    if len(found) > MAX_CHANGES:
        raise refused([{"line": found[MAX_CHANGES][0], "detail": f"a file has at most {MAX_CHANGES} changes"}])
    return found


def unchecked(rows: list[Row]) -> list[SeatLine]:
    """The changes in rows that have the form of one, whatever stands there for an address, but for what PostgreSQL takes for no text."""
    return [
        SeatLine(number, SeatChange(SeatAction(fields[1].lower()), fields[0].lower()))
        for number, fields in rows
        if len(fields) == len(HEADER) and fields[1].lower() in tuple(SeatAction) and "\0" not in fields[0]
    ]


def checked(rows: list[Row]) -> list[SeatLine]:
    """A change for each row. Raises Problem 422 that names every line at fault. An address takes up to 2 ms to check."""
    lines: list[SeatLine] = []
    wrong: list[dict[str, object]] = []
    for number, fields in rows:
        try:
            lines.append(SeatLine(number, _change(fields)))
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


def _change(row: list[str]) -> SeatChange:
    """Raises ValueError that says what is wrong."""
    if len(row) != len(HEADER):
        raise ValueError(f"two fields are needed, email and action; found {len(row)}")
    email, action = row
    if action.lower() not in tuple(SeatAction):
        raise ValueError("the action must be assign or unassign")
    try:
        valid = validate_email(email, check_deliverability=False).normalized
    except EmailNotValidError:
        raise ValueError("not a valid email address") from None
    return SeatChange(SeatAction(action.lower()), valid.lower())
