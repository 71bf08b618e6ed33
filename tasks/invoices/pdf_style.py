"""Typeface, sizes and colours of the PDF. The typeface is embedded: Latin, Greek and Cyrillic names look the same everywhere."""

from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

FONT: Final = "DejaVuSansCondensed"
BOLD: Final = "DejaVuSansCondensed-Bold"
for _name in (FONT, BOLD):
    pdfmetrics.registerFont(TTFont(_name, Path(__file__).parent / "fonts" / f"{_name}.ttf"))

INK: Final = HexColor("#16203a")
SOFT: Final = HexColor("#5a6478")
LINE: Final = HexColor("#dfe3ea")
_WASH: Final = HexColor("#f7f8fb")


def escaped(text: str) -> str:
    """`text` for a Paragraph, which reads XML; the narrow space of French figures, which breaks lines here, as a firm one."""
    return escape(text.replace("\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"))


def _style(name: str, size: float, leading: float, color: Any = INK, **more: Any) -> ParagraphStyle:
    return ParagraphStyle(
        name, fontName=more.pop("fontName", FONT), fontSize=size, leading=leading, textColor=color, **more
    )


_BY_NAME = (
    _style("title", 20, 25, fontName=BOLD),
    _style("heading", 10, 14, fontName=BOLD, spaceAfter=4),
    _style("label", 8, 12, SOFT),
    _style("text", 9, 12.5),
    _style("soft", 9, 12.5, SOFT),
    _style("strong", 9, 12.5, fontName=BOLD),
    _style("seller", 10.5, 14, fontName=BOLD, alignment=TA_RIGHT),
    _style("seller_line", 8, 11.5, SOFT, alignment=TA_RIGHT),
    _style("head", 8, 11, fontName=BOLD),
    _style("head_right", 8, 11, fontName=BOLD, alignment=TA_RIGHT),
    _style("number", 9, 12.5, alignment=TA_RIGHT),
    _style("sum", 9, 12.5, fontName=BOLD, alignment=TA_RIGHT),
    _style("detail", 7.5, 10.5, SOFT),
    _style("detail_title", 8, 11.5, fontName=BOLD),
    _style("note", 8.5, 12.5, spaceAfter=2),
)
STYLES: Final = {style.name: style for style in _BY_NAME}

_TIGHT = [
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("RIGHTPADDING", (0, 0), (-1, -1), 0),
    ("TOPPADDING", (0, 0), (-1, -1), 0),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
]
PLAIN_TABLE: Final = _TIGHT
SUMS: Final = [*_TIGHT, ("TOPPADDING", (0, 0), (-1, -1), 2.5), ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5)]
ITEMS: Final = [
    *_TIGHT,
    ("TOPPADDING", (0, 0), (-1, -1), 5),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
    ("LEFTPADDING", (1, 0), (-1, -1), 5),
    ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
    ("LINEBELOW", (0, 0), (-1, 0), 1, INK),
    ("LINEBELOW", (0, 1), (-1, -1), 0.5, LINE),
]
NOTES: Final = [
    ("BACKGROUND", (0, 0), (-1, -1), _WASH),
    ("LEFTPADDING", (0, 0), (-1, -1), 9),
    ("RIGHTPADDING", (0, 0), (-1, -1), 9),
    ("TOPPADDING", (0, 0), (-1, -1), 7),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
]
