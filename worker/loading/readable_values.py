"""Single values of a file written by a person: each reader takes a YAML node and gives a value, or raises ValueError with the reason."""

import re
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from yaml.nodes import MappingNode, Node, ScalarNode

from models.rules.currency import exponent
from tasks.plain_text import is_blank, is_printable, names_a_web_address

CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MOST_MINOR = 10**12
"""times a million seats, this still fits the database's eight bytes"""
LONGEST_QUOTED = 60
"""characters of a value that a message repeats: it may be the wrong file, with content that should not be shown"""
_TAG = "tag:yaml.org,2002:"

Kind = TypeVar("Kind", bound=StrEnum)


def text(node: Node, *, longest: int = 200, lines: bool = False) -> str:
    """lines: several lines are allowed."""
    found = _scalar(node, "str")
    if found is None:
        quoted = f": put it in quotes, '{cut(node.value)}'" if isinstance(node, ScalarNode) and node.value else ""
        raise ValueError(f"must be text, is {described(node)}{quoted}")
    found = found.strip()
    if lines:
        found = found.replace("\r\n", "\n").replace("\t", " ")
    if not found:
        raise ValueError("must not be empty")
    if not is_printable(found, lines=lines):
        raise ValueError("must not contain control characters" + ("" if lines else ", and must be one line"))
    if len(found) > longest:
        raise ValueError(f"is {len(found)} characters long, {longest} at most")
    return found


def proper_name(node: Node) -> str:
    """The name of an account or a person, by which a letter greets."""
    found = text(node)
    if is_blank(found):
        raise ValueError("must contain a letter or a digit")
    if names_a_web_address(found):
        raise ValueError("must be a name, not a web address")
    return found


def code(node: Node) -> str:
    found = text(node)
    if not CODE.fullmatch(found) or len(found) > 60:
        raise ValueError(
            f"{cut(found)!r} is not a code: lowercase letters, digits and single hyphens, 60 characters at most"
        )
    return found


def whole(node: Node, *, least: int, most: int) -> int:
    """Decimal digits only: YAML would read 010 as 8 and 1:30 as 90."""
    found = _scalar(node, "int") or ""
    if not re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", found):
        raise ValueError(f"must be a whole number, is {described(node)}")
    if not least <= int(found) <= most:
        raise ValueError(f"must be from {least} to {most}, is {found}")
    return int(found)


def flag(node: Node) -> bool:
    found = _scalar(node, "bool")
    if found is None:
        raise ValueError(f"must be true or false, is {described(node)}")
    return found.lower() in ("true", "yes", "on")


def member(node: Node, kind: type[Kind]) -> Kind:
    found = text(node)
    if found not in list(kind):
        raise ValueError(f"must be one of {', '.join(kind)}, is {cut(found)!r}")
    return kind(found)


def moment(node: Node) -> datetime:
    """An instant with its offset from UTC, such as 2026-01-01T00:00:00Z."""
    try:
        found = datetime.fromisoformat(node.value if isinstance(node, ScalarNode) else "")
    except ValueError:
        raise ValueError(f"must be an instant such as 2026-01-01T00:00:00Z, is {described(node)}") from None
    if found.utcoffset() is None:
        raise ValueError("needs a UTC offset: 2026-01-01T00:00:00Z or 2026-01-01T00:00:00+01:00")
    return found


def currency(node: Node) -> str:
    found = text(node)
    exponent(found)
    return found


def minor(node: Node, *, currency: str) -> int:
    """An amount in major units as a text, "10.00", in minor units of `currency`; exact, not negative."""
    found = _scalar(node, "str")
    if found is None:
        raise ValueError(f"must be a decimal number in quotes such as '10.00', is {described(node)} without quotes")
    if re.fullmatch(r"-[0-9.]+", found):
        raise ValueError(f"must not be negative, is {cut(found)}")
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?", found):
        raise ValueError(f"must be digits with a point before the decimals such as '10.00', is {cut(found)!r}")
    decimals = exponent(currency)
    if len(found.partition(".")[2]) > decimals:
        raise ValueError(f"{found} has more decimals than {currency}, which has {decimals or 'none'}")
    counted = int(Decimal(found).scaleb(decimals))
    if counted > MOST_MINOR:
        raise ValueError(f"{found} {currency} is too large")
    return counted


def described(node: Node) -> str:
    if isinstance(node, ScalarNode):
        return cut(node.value) if node.value else "empty"
    return "a mapping" if isinstance(node, MappingNode) else "a list"


def cut(value: str) -> str:
    return value if len(value) <= LONGEST_QUOTED else f"{value[:LONGEST_QUOTED]}..."


def is_empty(node: Node) -> bool:
    return _scalar(node, "null") is not None


def _scalar(node: Node, tag: str) -> str | None:
    """The text of a scalar that YAML takes for a `tag`."""
    return str(node.value) if isinstance(node, ScalarNode) and node.tag == _TAG + tag else None
