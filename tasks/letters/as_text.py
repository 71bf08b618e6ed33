"""A letter's content as plain text: at most 76 characters wide, figures aligned at the right edge."""

import re
import textwrap
from typing import Final

from tasks.letters.content import Block, Content, Link, Paragraph, Row, Table, Weight
from tasks.letters.wording import Wording

WIDTH: Final = 76
_SPACED: Final = re.compile(r"[\t-\r]|^ *$| $")
"""what wrapping would change in a line that is short enough"""


def as_text(content: Content, w: Wording) -> str:
    parts = [content.title + "\n" + "=" * min(len(content.title), WIDTH), _wrapped(content.greeting)]
    parts += [_block(block, w) for block in content.blocks]
    parts += ["-- \n" + "\n".join(_wrapped(line) for line in content.closing)]
    return "\n\n".join(parts) + "\n"


def _block(block: Block, w: Wording) -> str:
    match block:
        case Paragraph():
            return block.text if block.whole else _wrapped(block.text)
        case Link():
            # A web address stays whole, however long: broken, it leads nowhere.
            return _wrapped(w.say("%(label)s:", label=block.label)) + f"\n{block.url}"
        case Table():
            return _table(block)


def _table(table: Table) -> str:
    head = [_wrapped(table.title), *([_wrapped(table.subtitle)] if table.subtitle else []), "-" * WIDTH]
    rows = [line for row in table.rows for line in _row(row)]
    notes = ["", *(_wrapped(note, indent="  ") for note in table.notes)] if table.notes else []
    return "\n".join([*head, *rows, *notes])


def _row(row: Row) -> list[str]:
    lines = [" " * (WIDTH - 16) + "-" * 16] if row.weight is Weight.TOTAL else []
    gap = WIDTH - len(row.label) - len(row.value)
    if gap >= 2:
        return [*lines, row.label + " " * gap + row.value]
    label, value = textwrap.wrap(row.label, WIDTH), textwrap.wrap(row.value, WIDTH - 4)
    return [*lines, *label, *(part.rjust(WIDTH) for part in value)]


def _wrapped(text: str, *, indent: str = "") -> str:
    if len(indent) + len(text) <= WIDTH and not _SPACED.search(text):
        return indent + text
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
