"""A document as PDF on A4, as many pages as it takes; no date of printing, no random id, so always the same bytes."""

from functools import partial
from io import BytesIO
from threading import Lock
from typing import Any, Final

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, KeepTogether, PageTemplate, Paragraph, Spacer, Table

from tasks.invoices.page import Page, Part
from tasks.invoices.pdf_style import BOLD, FONT, INK, ITEMS, LINE, NOTES, PLAIN_TABLE, SOFT, STYLES, SUMS, escaped
from tasks.invoices.settlement import Row

_MARGIN: Final = 18 * mm
_WIDTH: Final = A4[0] - 2 * _MARGIN
_COLUMNS: Final = [_WIDTH - 111 * mm, 15 * mm, 26 * mm, 27 * mm, 16 * mm, 27 * mm]
_one_at_a_time: Final = Lock()
"""reportlab keeps the fonts' state in the process; the workers for mail and the API have threads"""


def as_pdf(page: Page) -> bytes:
    file = BytesIO()
    template = BaseDocTemplate(
        file,
        pagesize=A4,
        title=f"{page.title} {page.number}",
        author=page.seller.title,
        creator="Prorata",
        lang=page.language,
        invariant=1,
    )
    body = Frame(_MARGIN, 22 * mm, _WIDTH, A4[1] - 22 * mm - _MARGIN, 0, 0, 0, 0)
    template.addPageTemplates(PageTemplate(frames=[body]))
    with _one_at_a_time:
        template.build(_story(page), canvasmaker=partial(_Numbered, page=page))
    return file.getvalue()


def _story(page: Page) -> list[Flowable]:
    return [
        _head(page),
        Spacer(0, 10 * mm),
        _parties(page),
        Spacer(0, 8 * mm),
        *_about(page),
        _items(page),
        Spacer(0, 4 * mm),
        KeepTogether(_sums(page.totals)),
        *_notes(page),
        *_arithmetic(page),
    ]


def _head(page: Page) -> Table:
    title = [_p(page.title, "title"), _p(page.number, "soft")]
    seller = [_p(page.seller.title, "seller"), *(_p(line, "seller_line") for line in page.seller.lines)]
    return Table([[title, seller]], colWidths=[_WIDTH / 2] * 2, style=PLAIN_TABLE)


def _parties(page: Page) -> Table:
    buyer = [_p(page.buyer.title, "label"), *(_p(line, "text") for line in page.buyer.lines)]
    facts = Table(
        [[_p(row.label, "soft"), _p(row.value, "text")] for row in page.facts],
        colWidths=[38 * mm, _WIDTH / 2 - 38 * mm],
        style=PLAIN_TABLE,
    )
    return Table([[buyer, facts]], colWidths=[_WIDTH / 2] * 2, style=PLAIN_TABLE)


def _about(page: Page) -> list[Flowable]:
    return [_boxed([page.about]), Spacer(0, 6 * mm)] if page.about else []


def _items(page: Page) -> Table:
    head = [_p(name, "head" if i == 0 else "head_right") for i, name in enumerate(page.columns)]
    rows = [
        [
            [_p(item.title, "text"), *(_p(detail, "detail") for detail in item.details)],
            *(_p(value, "number") for value in (item.seats, item.unit, item.net, item.rate, item.tax)),
        ]
        for item in page.items
    ]
    return Table([head, *rows], colWidths=_COLUMNS, repeatRows=1, style=ITEMS)


def _sums(rows: tuple[Row, ...]) -> Table:
    cells = [[_p(row.label, "strong" if row.strong else "soft"), _p(row.value, "sum" if row.strong else "number")]
             for row in rows]  # fmt: skip
    ruled = [("LINEABOVE", (0, i), (-1, i), 0.5, LINE) for i, row in enumerate(rows) if row.strong]
    return Table(cells, colWidths=[82 * mm, 32 * mm], hAlign="RIGHT", style=[*SUMS, *ruled])


def _notes(page: Page) -> list[Flowable]:
    return [Spacer(0, 6 * mm), _boxed(list(page.notes))] if page.notes else []


def _boxed(texts: list[str]) -> Table:
    return Table([[[_p(text, "note") for text in texts]]], colWidths=[_WIDTH], style=NOTES)


def _arithmetic(page: Page) -> list[Flowable]:
    if not page.arithmetic:
        return []
    first, *others = (_explained(part) for part in page.arithmetic)
    title = [Spacer(0, 8 * mm), _p(page.arithmetic_title, "heading")]
    return [KeepTogether([*title, *first]), *(KeepTogether(other) for other in others)]


def _explained(part: Part) -> list[Flowable]:
    return [_p(part.title, "detail_title"), *(_p(line, "detail") for line in part.lines), Spacer(0, 2.5 * mm)]


def _p(text: str, style: str) -> Paragraph:
    return Paragraph(escaped(text), STYLES[style])


class _Numbered(Canvas):  # type: ignore[misc]
    """Writes the foot of every page at the end, when it is known how many there are."""

    def __init__(self, *args: Any, page: Page, **options: Any) -> None:
        super().__init__(*args, **options)
        self._page, self._states = page, list[dict[str, Any]]()

    def showPage(self) -> None:  # noqa: N802 - reportlab's name
        self._states.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for number, state in enumerate(self._states, 1):
            self.__dict__.update(state)
            self._foot(number, len(self._states))
            super().showPage()
        super().save()

    def _foot(self, number: int, pages: int) -> None:
        self.setStrokeColor(LINE)
        self.line(_MARGIN, 17 * mm, A4[0] - _MARGIN, 17 * mm)
        self.setFillColor(INK)
        self.setFont(BOLD, 7.5)
        self.drawString(_MARGIN, 12.5 * mm, f"{self._page.seller.title}  ")
        self.setFillColor(SOFT)
        self.setFont(FONT, 7.5)
        self.drawCentredString(A4[0] / 2, 12.5 * mm, self._page.number)
        told = self._page.page_of.replace("{page}", str(number)).replace("{pages}", str(pages))
        self.drawRightString(A4[0] - _MARGIN, 12.5 * mm, told)
