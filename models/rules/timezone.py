"""The account's time zone by its IANA name, and the one kind of instant that the rules accept."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from models.rules.errors import RuleError, WrongType

_THE_MACHINES_OWN = frozenset({"localtime", "posixrules", "Factory"})
"""names whose meaning depends on the machine"""


class UnknownTimezone(RuleError):
    """Not a name of the IANA time zone database."""


class NaiveDatetime(RuleError):
    """A datetime without a time zone does not identify an instant."""


def zone(name: str) -> ZoneInfo:
    """The zone called `name`, such as 'Europe/Berlin'. Raises UnknownTimezone; WrongType if it is not a string."""
    if not isinstance(name, str):
        raise WrongType(f"timezone must be an IANA name such as 'Europe/Berlin', got {type(name).__name__} {name!r}")
    try:
        if name in _THE_MACHINES_OWN:
            raise KeyError(name)
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):  # KeyError: unknown; ValueError: a path; OSError: a folder such as "Europe"
        raise UnknownTimezone(
            f"{name!r} is not a time zone of the IANA database; give a name such as 'Europe/Berlin'"
        ) from None


def utc(name: str, moment: datetime) -> datetime:
    """`moment` in UTC; name: for the error message.

    A wall clock time that occurs twice is read by its `fold`; one that never occurs as if the clock had not yet gone forward.
    Raises NaiveDatetime, WrongType (a date, a string), RuleError where UTC would leave the years 1 to 9999.
    """
    if not isinstance(moment, datetime):
        raise WrongType(f"{name} must be an aware datetime, got {type(moment).__name__} {moment!r}")
    if moment.utcoffset() is None:
        raise NaiveDatetime(f"{name} {moment.isoformat()} has no time zone; give an aware datetime, best in UTC")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise RuleError(f"{name} {moment.isoformat()} lies outside the years 1 to 9999 in UTC") from None


def local(moment: datetime, timezone: str) -> datetime:
    """The wall clock in `timezone` at `moment` (aware)."""
    try:
        return moment.astimezone(zone(timezone))
    except OverflowError:
        raise RuleError(f"{moment.isoformat()} lies outside the years 1 to 9999 in {timezone}") from None
