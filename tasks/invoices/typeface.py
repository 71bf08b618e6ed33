"""The typeface as a PDF embeds it, cut down to the letters that invoices use: cut once, kept for every document after it.

Latin, Greek and Cyrillic names look the same everywhere. What no document needs is left out of the file: nearly all consist
of `REPERTOIRE`; another letter makes a cut of its own, and the last few of those are kept too.
"""

import zlib
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Final

from reportlab.pdfbase.ttfonts import TTFontFile

REPERTOIRE: Final = (
    bytes(sorted({*range(32, 256)} - {127, 129, 141, 143, 144, 157, 173})).decode("cp1252")
    + "−\N{NARROW NO-BREAK SPACE}"
)
"""Windows-1252, which has every letter of our languages and the euro; our arithmetic's minus; the space in French figures"""

_PARTS: Final = 6
_reading: Final = Lock()
"""reportlab's font file remembers where it reads"""


class Face:
    """One weight. Widths are in thousandths of the type size."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._file: Any = TTFontFile(str(Path(__file__).parent / "fonts" / f"{name}.ttf"))
        self._widths: dict[str, float] = {chr(code): width for code, width in self._file.charWidths.items()}
        self._missing: float = self._file.defaultWidth
        self._common = frozenset(REPERTOIRE)

    def width(self, text: str, size: float) -> float:
        """In points, for `size` in points; what the typeface lacks is as wide as the box shown instead."""
        try:
            return sum(map(self._widths.__getitem__, text)) * size / 1000
        except KeyError:
            return sum(self._widths.get(letter, self._missing) for letter in text) * size / 1000

    def cut(self, texts: Iterable[str], *, first: int) -> "Cut":
        """With every letter of `texts`. first: the number of its first object in the file."""
        others = set().union(*texts) - self._common
        return _cut(self, REPERTOIRE + "".join(sorted(others)), first)


class Cut:
    """A face with some of its letters, as `objects` of a PDF; the first is the font that a page names.

    A letter's code is its place in `letters`, from 1, so what is copied from the document is what was written.
    """

    def __init__(self, face: Face, letters: str, first: int) -> None:
        self.first = first
        self._codes = {ord(letter): f"{code:04X}" for code, letter in enumerate(letters, 1)}
        self.objects = _objects(face, letters, first)

    def encoded(self, text: str) -> str:
        return text.translate(self._codes)


@cache
def face(name: str) -> Face:
    return Face(name)


@lru_cache(maxsize=32)
def _cut(whole: Face, letters: str, first: int) -> Cut:
    return Cut(whole, letters, first)


def _objects(whole: Face, letters: str, first: int) -> tuple[bytes, ...]:
    file = whole._file
    codes = [ord(letter) for letter in letters]
    with _reading:
        program: bytes = file.makeSubset(codes)
    name = f"AAAAAA+{whole.name}"
    widths = " ".join(f"{file.charWidths.get(code, file.defaultWidth):g}" for code in codes)
    box = " ".join(f"{edge:g}" for edge in file.bbox)
    font, metrics, data, meanings, glyphs = range(first + 1, first + _PARTS)
    return (
        f"<</Type/Font/Subtype/Type0/BaseFont/{name}/Encoding/Identity-H/DescendantFonts[{font} 0 R]"
        f"/ToUnicode {meanings} 0 R>>".encode(),
        f"<</Type/Font/Subtype/CIDFontType2/BaseFont/{name}/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
        f"/FontDescriptor {metrics} 0 R/DW {file.defaultWidth:g}/W[1[{widths}]]/CIDToGIDMap {glyphs} 0 R>>".encode(),
        f"<</Type/FontDescriptor/FontName/{name}/Flags 4/FontBBox[{box}]/ItalicAngle {file.italicAngle:g}/Ascent {file.ascent:g}"
        f"/Descent {file.descent:g}/CapHeight {file.capHeight:g}/StemV {file.stemV:g}/FontFile2 {data} 0 R>>".encode(),
        stream(program, f"/Length1 {len(program)}"),
        stream(_meanings(letters)),
        stream(_glyphs(file.charToGlyph, codes)),
    )


def _glyphs(glyph_of: dict[int, int], codes: list[int]) -> bytes:
    """For each letter its glyph in the cut, which numbers them as they first come up; 0 is the box for what is missing."""
    numbers = {0: 0}
    for code in codes:
        numbers.setdefault(glyph_of.get(code, 0), len(numbers))
    return b"\0\0" + b"".join(numbers[glyph_of.get(code, 0)].to_bytes(2) for code in codes)


def _meanings(letters: str) -> bytes:
    """Which letter each code stands for, for whoever copies or searches (ISO 32000-1, 9.10.3)."""
    lines = [f"<{code:04X}><{letter.encode('utf-16-be').hex()}>" for code, letter in enumerate(letters, 1)]
    blocks = [lines[start : start + 100] for start in range(0, len(lines), 100)]
    told = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
    return (
        "/CIDInit/ProcSet findresource begin 12 dict begin begincmap\n"
        "/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)/Supplement 0>>def/CMapName/Adobe-Identity-UCS def/CMapType 2 def\n"
        f"1 begincodespacerange<0000><FFFF>endcodespacerange\n{told}\n"
        "endcmap CMapName currentdict/CMap defineresource pop end end"
    ).encode()


def stream(content: bytes, more: str = "") -> bytes:
    packed = zlib.compress(content)
    return f"<</Filter/FlateDecode/Length {len(packed)}{more}>>stream\n".encode() + packed + b"\nendstream"
