"""What a caller may give as the member of an enumeration or as its word, such as an interval."""

from enum import StrEnum
from typing import TypeVar

from models.rules.errors import RuleError, WrongType

Member = TypeVar("Member", bound=StrEnum)


def one_of(kind: type[Member], name: str, value: str, *, unknown: type[RuleError]) -> Member:
    """The member of `kind` that `value` names. Raises `unknown`, or WrongType if it is not a string; `name` is what the message calls it."""
    words = " or ".join(repr(member.value) for member in kind)
    if not isinstance(value, str):
        raise WrongType(f"{name} must be {words}, got {type(value).__name__} {value!r}")
    try:
        return kind(value)
    except ValueError:
        raise unknown(f"{name} must be {words}, got {value!r}") from None
