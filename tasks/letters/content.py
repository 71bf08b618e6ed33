"""What a letter says, before it is laid out: a title and blocks, all in the customer's language, nothing escaped yet."""

from dataclasses import dataclass
from enum import StrEnum


class Weight(StrEnum):
    PLAIN = "plain"
    TOTAL = "total"
    """a sum: set apart from what it sums up"""


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str
    whole: bool = False
    """on one line, however long: it is to be copied"""


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    value: str
    weight: Weight = Weight.PLAIN


@dataclass(frozen=True, slots=True)
class Table:
    """Labels with their values at the right edge; `notes` are the small print below, one sentence or more each."""

    title: str
    rows: tuple[Row, ...]
    subtitle: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


Block = Paragraph | Table | Link


@dataclass(frozen=True, slots=True)
class Content:
    subject: str
    title: str
    greeting: str
    blocks: tuple[Block, ...]
    closing: tuple[str, ...]
    """who writes, and where to turn"""
