"""A document as PDF on A4, on as many pages as needed; no print date, no random id, so always the same bytes."""

from collections.abc import Iterable, Sequence
from typing import Final

from tasks.invoices import pdf_style as style
from tasks.invoices.page import Page, Part
from tasks.invoices.pdf_file import About, Mark, Rule, Style, Text, written
from tasks.invoices.pdf_layout import Block, Box, below, beside, moved, on_sheets, padded, shortened, text, washed
from tasks.invoices.pdf_style import MM
from tasks.invoices.pdf_table import sums, table

_A4: Final = (210 * MM, 297 * MM)
_MARGIN: Final = 18 * MM
_FOOT: Final = 22 * MM
_WIDTH: Final = _A4[0] - 2 * _MARGIN
_HALF: Final = _WIDTH / 2
_GUTTER: Final = 5 * MM
"""between texts that stand side by side"""


def as_pdf(page: Page) -> bytes:
    notice = _legal_notice(page)
    room = _A4[1] - _MARGIN - _FOOT - notice.height
    sheets = on_sheets(_blocks(page, room), room)
    drawn = [
        [*_placed(sheet, _MARGIN), *_placed(notice, _A4[1] - _FOOT - notice.height), *_foot(page, number, len(sheets))]
        for number, sheet in enumerate(sheets, 1)
    ]
    about = About(f"{page.title} {page.number}", page.seller.title, page.language)
    return written(drawn, width=_A4[0], height=_A4[1], about=about)


def _blocks(page: Page, room: float) -> Iterable[Block]:
    """room: the height of a sheet."""
    above = [Block(_head(page)), Block(_parties(page), 10 * MM)]
    if page.about:
        above.append(Block(_boxed([page.about]), 8 * MM))
    *items, last = _items(page, 6 * MM if page.about else 8 * MM)
    yield from (*above, *items)
    below_these = room - sum(block.gap + block.box.height for block in above) - last.gap
    is_alone = not items and last.box.height <= below_these
    yield from _ending(page, last, room, first=below_these if is_alone else room)
    if page.arithmetic:
        first, *others = map(_explained, page.arithmetic)
        title = padded(text(page.arithmetic_title, style.HEADING, _WIDTH), top=0, bottom=4)
        yield Block(below([title, first]), 8 * MM)
        yield from (Block(part, 2.5 * MM) for part in others)


def _head(page: Page) -> Box:
    title = below([text(page.title, style.TITLE, _HALF), text(page.number, style.SOFT_TEXT, _HALF)])
    seller = below([text(page.seller.title, style.SELLER, _HALF), *_texts(page.seller.lines, style.SELLER_LINE, _HALF)])
    return beside((0, title), (_HALF, seller))


def _parties(page: Page) -> Box:
    room = _HALF - _GUTTER
    buyer = below([text(page.buyer.title, style.LABEL, room), *_texts(page.buyer.lines, style.TEXT, room)])
    label = 38 * MM
    facts = below(
        beside((0, text(row.label, style.SOFT_TEXT, label)), (label, text(row.value, style.TEXT, _HALF - label)))
        for row in page.facts
    )
    return beside((0, buyer), (_HALF, facts))


def _items(page: Page, gap: float) -> Iterable[Block]:
    head, rows = table(page.columns, page.items, _WIDTH)
    for number, row in enumerate(rows or [Box(0.0, [])]):
        yield Block(row, head=head) if number else Block(below([head, row]), gap)


def _ending(page: Page, last: Block, room: float, *, first: float) -> Iterable[Block]:
    """The last item, the sums and the notes, on one sheet if they fit there: neither sums nor notes begin a sheet by themselves.

    first: the height for the last item and what stands with it: less than a sheet's if it is the only one, which stays below the parties.
    """
    others = [Block(sums(page.totals, _WIDTH), 4 * MM)]
    if page.notes:
        others.append(Block(_boxed(page.notes), 6 * MM))
    for block in others:
        box = below([last.box, padded(block.box, top=block.gap, bottom=0)])
        if box.height + (last.head.height if last.head else 0) <= first:
            last = last._replace(box=box)
        else:
            yield last
            last, first = block, room
    yield last


def _boxed(texts: Sequence[str]) -> Box:
    inner = moved(below(_texts(texts, style.NOTE, _WIDTH - 18), gap=2), 9)
    return washed(padded(inner, top=7, bottom=6), _WIDTH, style.WASH)


def _explained(part: Part) -> Box:
    return below([text(part.title, style.DETAIL_TITLE, _WIDTH), *_texts(part.lines, style.DETAIL, _WIDTH)])


def _texts(lines: Iterable[str], how: Style, width: float) -> list[Box]:
    return [text(line, how, width) for line in lines]


def _placed(box: Box, y: float) -> list[Mark]:
    """At `y` on the sheet, between its margins."""
    return [mark._replace(x=mark.x + _MARGIN, y=mark.y + y) for mark in box.marks]


def _legal_notice(page: Page) -> Box:
    """On every sheet above its foot; it reduces the room for the rest."""
    if not page.legal_notice:
        return Box(0.0, [])
    return padded(text(page.legal_notice, style.DETAIL, _WIDTH), top=6 * MM, bottom=-2 * MM)


def _foot(page: Page, number: int, pages: int) -> list[Mark]:
    y = _A4[1] - 12.5 * MM
    page_of = page.page_of.replace("{page}", str(number)).replace("{pages}", str(pages))
    centred = (_A4[0] - style.FOOT.face.width(page.number, style.FOOT.size)) / 2
    right = _A4[0] - _MARGIN - style.FOOT.face.width(page_of, style.FOOT.size)
    name = shortened(page.seller.title, style.FOOT_STRONG, centred - _GUTTER - _MARGIN)
    return [
        Rule(_MARGIN, _A4[1] - 17 * MM, _WIDTH, 0.5, style.LINE),
        Text(_MARGIN, y, name, style.FOOT_STRONG),
        Text(centred, y, page.number, style.FOOT),
        Text(right, y, page_of, style.FOOT),
    ]
