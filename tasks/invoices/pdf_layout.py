"""Boxes of text, side by side and one below the other, laid out on as many sheets as needed."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from tasks.invoices.pdf_file import Area, Mark, Rule, Style, Text

_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]"
)
"""Hyphens for a break, joiners, marks of direction and of a letter's form: they show nothing, but a typeface has a glyph for some, or none and so a box
(Unicode's property Default_Ignorable_Code_Point, without those that `plain_text.UNPRINTABLE` has)"""
_BREAKS: Final = re.compile(r"[^\S\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}]+")


class Box(NamedTuple):
    """Marks in a box `height` points high, measured from its own upper left corner."""

    height: float
    marks: Sequence[Mark]


class Block(NamedTuple):
    """A box that stays on one sheet, `gap` below the one before it; `head` is repeated above it where a sheet begins."""

    box: Box
    gap: float = 0.0
    head: Box | None = None


def text(said: str, style: Style, width: float) -> Box:
    """A paragraph."""
    marks = []
    for number, line in enumerate(_lines(said, style, width)):
        x = width - style.face.width(line, style.size) if style.right else 0.0
        marks.append(Text(x, style.size + number * style.leading, line, style))
    return Box(len(marks) * style.leading, marks)


def figure(said: str, style: Style, width: float) -> Box:
    """A number or an amount, never broken, because half of it would be another number. If too wide, it is set smaller, by tenths of a point."""
    needed = style.face.width(said, style.size)
    set_in = style
    if needed > width + 0.01:
        set_in = style._replace(size=int(10 * style.size * width / needed) / 10)
    x = width - set_in.face.width(said, set_in.size) if style.right else 0.0
    return Box(style.leading, [Text(x, style.size, said, set_in)])


def shortened(said: str, style: Style, width: float) -> str:
    """`said`, cut if necessary, with an ellipsis."""
    said = without_unseen(said)

    def fits(line: str) -> bool:
        return style.face.width(line, style.size) <= width

    if fits(said):
        return said
    return next((cut for n in range(len(said), 0, -1) if fits(cut := f"{said[:n].rstrip()}…")), "…")


def without_unseen(said: str) -> str:
    return _UNSEEN.sub("", said)


def below(boxes: Iterable[Box], *, gap: float = 0.0) -> Box:
    y, marks = 0.0, list[Mark]()
    for box in boxes:
        y += gap if marks else 0.0
        marks += _moved(box.marks, 0.0, y)
        y += box.height
    return Box(y, marks)


def beside(*boxes: tuple[float, Box], bottom: bool = False) -> Box:
    """Each box at its x, all aligned above, or below."""
    height = max(box.height for _, box in boxes)
    return Box(
        height, [mark for x, box in boxes for mark in _moved(box.marks, x, height - box.height if bottom else 0.0)]
    )


def padded(box: Box, *, top: float, bottom: float) -> Box:
    return Box(top + box.height + bottom, _moved(box.marks, 0.0, top))


def ruled(box: Box, width: float, thickness: float, color: str, *, above: bool = False) -> Box:
    return Box(box.height, [*box.marks, Rule(0.0, 0.0 if above else box.height, width, thickness, color)])


def washed(box: Box, width: float, color: str) -> Box:
    return Box(box.height, [Area(0.0, 0.0, width, box.height, color), *box.marks])


def moved(box: Box, x: float) -> Box:
    return Box(box.height, _moved(box.marks, x, 0.0))


def on_sheets(blocks: Iterable[Block], height: float) -> list[Box]:
    """The blocks in order, on sheets. At the top of a sheet the gap is dropped; a block higher than a sheet is cut between lines."""
    sheets, placed, y = list[Box](), list[Mark](), 0.0
    for block in blocks:
        box, gap = block.box, block.gap if y else 0.0
        if y and y + gap + box.height > height:
            sheets.append(Box(y, placed))
            placed, y, gap = [], 0.0, 0.0
            box = below([block.head, box]) if block.head else box
        while box.height > height:
            fitting, box = _cut(box, height)
            sheets.append(fitting)
        placed += _moved(box.marks, 0.0, y + gap)
        y += gap + box.height
    return [*sheets, Box(y, placed)]


def _cut(box: Box, height: float) -> tuple[Box, Box]:
    """The part that ends above `height`, and the rest."""
    areas = [mark for mark in box.marks if isinstance(mark, Area)]
    others = [mark for mark in box.marks if not isinstance(mark, Area)]
    later = [mark for mark in others if _bottom(mark) > height]
    start = min((_top(mark) for mark in later), default=height)
    above = [*(_between(area, 0.0, height) for area in areas), *(mark for mark in others if _bottom(mark) <= height)]
    below = [*(_between(area, start, box.height) for area in areas), *later]
    return Box(height, above), Box(box.height - start, _moved(below, 0.0, -start))


def _between(area: Area, top: float, bottom: float) -> Area:
    top = max(top, area.y)
    return area._replace(y=top, height=max(0.0, min(bottom, area.y + area.height) - top))


def _top(mark: Text | Rule) -> float:
    return mark.y - mark.style.size if isinstance(mark, Text) else mark.y


def _bottom(mark: Text | Rule) -> float:
    return mark.y + mark.style.leading - mark.style.size if isinstance(mark, Text) else mark.y


def _moved(marks: Sequence[Mark], x: float, y: float) -> Sequence[Mark]:
    if not (x or y):
        return marks
    # `_replace` takes three times as long.
    return [type(mark)._make((mark[0] + x, mark[1] + y, *mark[2:])) for mark in marks]


def _lines(said: str, style: Style, width: float) -> list[str]:
    """`said`, broken into lines between words, or within a word that is longer than a line. An empty text is one empty line."""
    measured, size, limit = style.face.width, style.size, width + 0.01
    whole = " ".join(_BREAKS.split(without_unseen(said))).strip(" ")
    if measured(whole, size) <= limit:
        return [whole]
    lines, line = list[str](), ""
    for word in whole.split(" "):
        longer = f"{line} {word}" if line else word
        if measured(longer, size) <= limit:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
        while measured(line, size) > limit:
            fits = next(n for n in range(len(line) - 1, 0, -1) if n == 1 or measured(line[:n], size) <= limit)
            lines.append(line[:fits])
            line = line[fits:]
    return [*lines, line]
