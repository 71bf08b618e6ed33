"""Which names the PDF can print: those whose letters the typeface has, in scripts that run from left to right."""

import unicodedata
from typing import Final

from tasks.invoices import pdf_style as style
from tasks.invoices.pdf_layout import without_unseen
from tasks.plain_text import one_line

_RIGHT_TO_LEFT: Final = frozenset({"R", "AL"})
"""Hebrew and Arabic, by Unicode's bidirectional classes: the PDF sets letters in the order of reading, so these come out backwards"""


def can_be_printed(text: str) -> bool:
    known = style.TEXT.face.widths
    seen = without_unseen(one_line(text))
    return all(letter in known and unicodedata.bidirectional(letter) not in _RIGHT_TO_LEFT for letter in seen)
