"""A document as PDF on A4, as many pages as it takes; no date of printing, no random id, so always the same bytes."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

from tasks.invoices import pdf_style as style
from tasks.invoices.items import Item
from tasks.invoices.page import Page, Part
from tasks.invoices.pdf_file import About, Mark, Rule, Style, Text, written
from tasks.invoices.pdf_layout import Block, Box, below, beside, moved, on_sheets, padded, ruled, text, washed
from tasks.invoices.settlement import Row

_MM: Final = 72 / 25.4
_A4: Final = (210 * _MM, 297 * _MM)
_MARGIN: Final = 18 * _MM
_FOOT: Final = 22 * _MM
_WIDTH: Final = _A4[0] - 2 * _MARGIN
_HALF: Final = _WIDTH / 2
_COLUMNS: Final = [_WIDTH - 111 * _MM, 15 * _MM, 26 * _MM, 27 * _MM, 16 * _MM, 27 * _MM]
_BETWEEN: Final = 5
"""points left of each column with figures"""


def as_pdf(page: Page) -> bytes:
    sheets = on_sheets(_blocks(page), _A4[1] - _MARGIN - _FOOT)
    drawn = [
        [*(mark._replace(x=mark.x + _MARGIN, y=mark.y + _MARGIN) for mark in sheet.marks), *_foot(page, number, len(sheets))]
        for number, sheet in enumerate(sheets, 1)
    ]  # fmt: skip
    about = About(f"{page.title} {page.number}", page.seller.title, page.language)
    return written(drawn, width=_A4[0], height=_A4[1], about=about)


def _blocks(page: Page) -> Iterable[Block]:
    yield Block(_head(page))
    yield Block(_parties(page), 10 * _MM)
    gap = 8 * _MM
    if page.about:
        yield Block(_boxed([page.about]), gap)
        gap = 6 * _MM
    yield from _items(page, gap)
    yield Block(_sums(page.totals), 4 * _MM)
    if page.notes:
        yield Block(_boxed(page.notes), 6 * _MM)
    gap = 8 * _MM
    for part in page.arithmetic:
        first = part is page.arithmetic[0]
        title = [padded(text(page.arithmetic_title, style.HEADING, _WIDTH), top=0, bottom=4)] if first else []
        yield Block(below([*title, _explained(part)]), 8 * _MM if first else 2.5 * _MM)


def _head(page: Page) -> Box:
    title = below([text(page.title, style.TITLE, _HALF), text(page.number, style.SOFT_TEXT, _HALF)])
    seller = below([text(page.seller.title, style.SELLER, _HALF), *_texts(page.seller.lines, style.SELLER_LINE, _HALF)])
    return beside((0, title), (_HALF, seller))


def _parties(page: Page) -> Box:
    buyer = below([text(page.buyer.title, style.LABEL, _HALF), *_texts(page.buyer.lines, style.TEXT, _HALF)])
    label = 38 * _MM
    facts = below(
        beside((0, text(row.label, style.SOFT_TEXT, label)), (label, text(row.value, style.TEXT, _HALF - label)))
        for row in page.facts
    )
    return beside((0, buyer), (_HALF, facts))


def _items(page: Page, gap: float) -> Iterable[Block]:
    name, *others = page.columns
    cells = [text(name, style.HEAD, _COLUMNS[0]), *_figures(others, style.HEAD_RIGHT)]
    head = ruled(padded(_in_columns(cells, bottom=True), top=5, bottom=6), _WIDTH, 1, style.INK)
    for item in page.items:
        row = _item(item)
        yield Block(below([head, row]), gap) if item is page.items[0] else Block(row, head=head)


def _item(item: Item) -> Box:
    name = below([text(item.title, style.TEXT, _COLUMNS[0]), *_texts(item.details, style.DETAIL, _COLUMNS[0])])
    figures = _figures([item.seats, item.unit, item.net, item.rate, item.tax], style.NUMBER)
    return ruled(padded(_in_columns([name, *figures]), top=5, bottom=6), _WIDTH, 0.5, style.LINE)


def _figures(values: Sequence[str], how: Style) -> list[Box]:
    widths = [width - _BETWEEN for width in _COLUMNS[1:]]
    return [moved(text(value, how, width), _BETWEEN) for value, width in zip(values, widths, strict=True)]


def _in_columns(cells: Sequence[Box], *, bottom: bool = False) -> Box:
    return beside(*zip(accumulate(_COLUMNS[:-1], initial=0.0), cells, strict=True), bottom=bottom)


def _sums(rows: tuple[Row, ...]) -> Box:
    label, value = 82 * _MM, 32 * _MM
    return moved(below(_sum(row, label, value) for row in rows), _WIDTH - label - value)


def _sum(row: Row, label: float, value: float) -> Box:
    said = text(row.label, style.STRONG if row.strong else style.SOFT_TEXT, label)
    amount = text(row.value, style.SUM if row.strong else style.NUMBER, value)
    box = padded(beside((0, said), (label, amount)), top=2.5, bottom=2.5)
    return ruled(box, label + value, 0.5, style.LINE, above=True) if row.strong else box


def _boxed(texts: Sequence[str]) -> Box:
    inner = moved(below(_texts(texts, style.NOTE, _WIDTH - 18), gap=2), 9)
    return washed(padded(inner, top=7, bottom=6), _WIDTH, style.WASH)


def _explained(part: Part) -> Box:
    return below([text(part.title, style.DETAIL_TITLE, _WIDTH), *_texts(part.lines, style.DETAIL, _WIDTH)])


def _texts(lines: Iterable[str], how: Style, width: float) -> list[Box]:
    return [text(line, how, width) for line in lines]


def _foot(page: Page, number: int, pages: int) -> list[Mark]:
    y = _A4[1] - 12.5 * _MM
    told = page.page_of.replace("{page}", str(number)).replace("{pages}", str(pages))
    centred = (_A4[0] - style.FOOT.face.width(page.number, style.FOOT.size)) / 2
    right = _A4[0] - _MARGIN - style.FOOT.face.width(told, style.FOOT.size)
    return [
        Rule(_MARGIN, _A4[1] - 17 * _MM, _WIDTH, 0.5, style.LINE),
        Text(_MARGIN, y, page.seller.title, style.FOOT_STRONG),
        Text(centred, y, page.number, style.FOOT),
        Text(right, y, told, style.FOOT),
    ]
