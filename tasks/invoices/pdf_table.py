"""The table of a PDF and the sums below it: figures are aligned right and never broken, since half of an amount would be another amount."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from tasks.invoices import pdf_style as style
from tasks.invoices.items import Item
from tasks.invoices.pdf_file import Style
from tasks.invoices.pdf_layout import Box, below, beside, figure, moved, padded, ruled, text
from tasks.invoices.pdf_style import MM
from tasks.letters.content import Row, Weight

_FIGURES: Final = [15 * MM, 26 * MM, 27 * MM, 16 * MM, 27 * MM]
"""the columns beside the description, where no figure needs more; the description has the rest"""
_DESCRIPTION: Final = 40 * MM
"""what is left to the description at least"""
_LABEL: Final = 82 * MM
_SUM: Final = 32 * MM
"""the column of the sums, where no sum needs more"""
_BETWEEN: Final = 5
"""points left of each column with figures"""


def table(columns: Sequence[str], items: Sequence[Item], width: float) -> tuple[Box, list[Box]]:
    """Its head, and a row for each item."""
    widths = _widths(items, width)
    titles = [
        moved(text(title, style.HEAD_RIGHT, room - _BETWEEN), _BETWEEN)
        for title, room in zip(columns[1:], widths[1:], strict=True)
    ]
    cells = _in_columns([text(columns[0], style.HEAD, widths[0]), *titles], widths, bottom=True)
    head = ruled(padded(cells, top=5, bottom=6), width, 1, style.INK)
    return head, [ruled(padded(_row(item, widths), top=5, bottom=6), width, 0.5, style.LINE) for item in items]


def sums(rows: Sequence[Row], width: float) -> Box:
    amounts = max([_SUM, *(_needed(row.value, _style(row)) for row in rows)])
    amounts = min(amounts, width - _LABEL)
    return moved(below(_sum(row, amounts) for row in rows), width - _LABEL - amounts)


def _row(item: Item, widths: Sequence[float]) -> Box:
    details = [text(detail, style.DETAIL, widths[0]) for detail in item.details]
    name = below([text(item.title, style.TEXT, widths[0]), *details])
    figures = [
        moved(figure(said, style.NUMBER, room - _BETWEEN), _BETWEEN)
        for said, room in zip(_figures(item), widths[1:], strict=True)
    ]
    return _in_columns([name, *figures], widths)


def _figures(item: Item) -> tuple[str, ...]:
    return item.seats, item.unit, item.net, item.rate, item.tax


def _widths(items: Sequence[Item], width: float) -> list[float]:
    """The widths of all columns: each grows with its widest figure, as far as the description can shrink."""
    rows = [_figures(item) for item in items]
    more = [max([0.0, *(_needed(row[n], style.NUMBER) - usual for row in rows)]) for n, usual in enumerate(_FIGURES)]
    wanted, spare = sum(more), width - sum(_FIGURES) - _DESCRIPTION
    part = spare / wanted if wanted > spare else 1.0
    figures = [usual + part * each for usual, each in zip(_FIGURES, more, strict=True)]
    return [width - sum(figures), *figures]


def _needed(said: str, how: Style) -> float:
    return how.face.width(said, how.size) + _BETWEEN


def _in_columns(cells: Sequence[Box], widths: Sequence[float], *, bottom: bool = False) -> Box:
    return beside(*zip(accumulate(widths[:-1], initial=0.0), cells, strict=True), bottom=bottom)


def _sum(row: Row, amounts: float) -> Box:
    said = text(row.label, style.STRONG if row.weight is Weight.TOTAL else style.SOFT_TEXT, _LABEL)
    amount = moved(figure(row.value, _style(row), amounts - _BETWEEN), _BETWEEN)
    box = padded(beside((0, said), (_LABEL, amount)), top=2.5, bottom=2.5)
    return ruled(box, _LABEL + amounts, 0.5, style.LINE, above=True) if row.weight is Weight.TOTAL else box


def _style(row: Row) -> Style:
    return style.SUM if row.weight is Weight.TOTAL else style.NUMBER
