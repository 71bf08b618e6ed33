"""Sizes and colours of the PDF."""

from typing import Final

from tasks.invoices.pdf_file import Style
from tasks.invoices.typeface import face

MM: Final = 72 / 25.4
"""a millimetre in points"""


def _color(code: str) -> str:
    return " ".join(f"{part / 255:.3f}" for part in bytes.fromhex(code))


INK: Final = _color("16203a")
SOFT: Final = _color("5a6478")
LINE: Final = _color("dfe3ea")
WASH: Final = _color("f7f8fb")

_PLAIN, _BOLD = face("DejaVuSansCondensed"), face("DejaVuSansCondensed-Bold")

TITLE: Final = Style(_BOLD, 20, 25, INK)
HEADING: Final = Style(_BOLD, 10, 14, INK)
LABEL: Final = Style(_PLAIN, 8, 12, SOFT)
TEXT: Final = Style(_PLAIN, 9, 12.5, INK)
SOFT_TEXT: Final = Style(_PLAIN, 9, 12.5, SOFT)
STRONG: Final = Style(_BOLD, 9, 12.5, INK)
SELLER: Final = Style(_BOLD, 10.5, 14, INK, right=True)
SELLER_LINE: Final = Style(_PLAIN, 8, 11.5, SOFT, right=True)
HEAD: Final = Style(_BOLD, 8, 11, INK)
HEAD_RIGHT: Final = Style(_BOLD, 8, 11, INK, right=True)
NUMBER: Final = Style(_PLAIN, 9, 12.5, INK, right=True)
SUM: Final = Style(_BOLD, 9, 12.5, INK, right=True)
DETAIL: Final = Style(_PLAIN, 7.5, 10.5, SOFT)
DETAIL_TITLE: Final = Style(_BOLD, 8, 11.5, INK)
NOTE: Final = Style(_PLAIN, 8.5, 12.5, INK)
FOOT: Final = Style(_PLAIN, 7.5, 10, SOFT)
FOOT_STRONG: Final = Style(_BOLD, 7.5, 10, INK)
