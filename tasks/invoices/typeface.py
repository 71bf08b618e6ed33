"""The typeface as a PDF embeds it: a subset with the letters that invoices use, made once and cached for all later documents.

Embedding makes Latin, Greek and Cyrillic names look the same everywhere. Tables that no document needs and hints for old screens are
left out of the file, because documents travel by email and are kept for years. Nearly all documents need only the letters of `BASIC`, or
of `REPERTOIRE`; any other letter requires a subset of its own, and the most recent of those are cached too.
"""

import zlib
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

BASIC: Final = (
    bytes(range(32, 127)).decode("ascii") + "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}−–—‘’“”…•·×÷€£§ÄÖÜäöüß"
)
"""English, German, figures, and the punctuation of our documents: half the size"""
REPERTOIRE: Final = BASIC + "".join(
    sorted(set(bytes(sorted({*range(128, 256)} - {129, 141, 143, 144, 157, 173})).decode("cp1252")) - set(BASIC))
)
"""with the rest of Windows-1252, which has every letter of our languages"""

_PARTS: Final = 6
_KEPT: Final = frozenset({"glyf", "loca", "head", "hhea", "hmtx", "maxp"})
"""the tables of a TrueType font that a PDF needs (ISO 32000-1, 9.9); not cmap, because the PDF itself maps codes to glyphs"""


class Face:
    """One weight. Widths are in thousandths of the type size."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = Path(__file__).parent / "fonts" / f"{name}.ttf"
        with TTFont(self.path, lazy=True) as font:
            self.scale = 1000 / font["head"].unitsPerEm
            advances = {glyph: advance * self.scale for glyph, (advance, _) in font["hmtx"].metrics.items()}
            self.widths: dict[str, float] = {chr(code): advances[glyph] for code, glyph in font.getBestCmap().items()}
            self.missing: float = advances[".notdef"]
            self.descriptor = _descriptor(font, self.scale)

    def width(self, text: str, size: float) -> float:
        """Width in points for a type size in points; a letter that the typeface lacks is as wide as the box shown in its place."""
        try:
            return sum(map(self.widths.__getitem__, text)) * size / 1000
        except KeyError:
            return sum(self.widths.get(letter, self.missing) for letter in text) * size / 1000

    def cut(self, texts: Iterable[str], *, first: int) -> "Cut":
        """A subset with every letter of `texts`. first: the number of its first object in the PDF."""
        said = set().union(*texts)
        letters = BASIC if said <= _BASIC else REPERTOIRE + "".join(sorted(said - _COMMON))
        return _cut(self, letters, first)


_BASIC: Final = frozenset(BASIC)
_COMMON: Final = frozenset(REPERTOIRE)


class Cut:
    """A face with some of its letters, as `objects` of a PDF; the first is the font that a page names.

    A letter's code is its position in `letters`, from 1; `_meanings` maps codes back, so that text copied from the PDF is right.
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
    program, glyphs_of = _program(whole, letters)
    name = f"{_tag(whole.name + letters)}+{whole.name}"
    widths = " ".join(f"{whole.widths.get(letter, whole.missing):g}" for letter in letters)
    font, metrics, data, meanings, glyphs = range(first + 1, first + _PARTS)
    return (
        f"<</Type/Font/Subtype/Type0/BaseFont/{name}/Encoding/Identity-H/DescendantFonts[{font} 0 R]"
        f"/ToUnicode {meanings} 0 R>>".encode(),
        f"<</Type/Font/Subtype/CIDFontType2/BaseFont/{name}/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
        f"/FontDescriptor {metrics} 0 R/DW {whole.missing:g}/W[1[{widths}]]/CIDToGIDMap {glyphs} 0 R>>".encode(),
        f"<</Type/FontDescriptor/FontName/{name}/Flags 4{whole.descriptor}/FontFile2 {data} 0 R>>".encode(),
        stream(program, f"/Length1 {len(program)}"),
        stream(_meanings(letters)),
        stream(b"\0\0" + b"".join(glyph.to_bytes(2) for glyph in glyphs_of)),
    )


def _tag(subset: str) -> str:
    """Six capitals, others for each subset, so that documents with different ones can be merged (ISO 32000-1, 9.6.4)."""
    return "".join(chr(ord("A") + byte % 26) for byte in sha256(subset.encode()).digest()[:6])


def _descriptor(font: Any, scale: float) -> str:
    """The font descriptor (ISO 32000-1, 9.8). The font file does not state StemV; it is estimated from the weight, as is usual."""
    head, across, about = font["head"], font["hhea"], font["OS/2"]
    capital = font["glyf"][font.getBestCmap()[ord("H")]]
    box = " ".join(f"{edge * scale:g}" for edge in (head.xMin, head.yMin, head.xMax, head.yMax))
    stem = 50 + (about.usWeightClass / 65) ** 2
    return (
        f"/FontBBox[{box}]/ItalicAngle {font['post'].italicAngle:g}/Ascent {across.ascent * scale:g}"
        f"/Descent {across.descent * scale:g}/CapHeight {capital.yMax * scale:g}/StemV {stem:.0f}"
    )


def _program(whole: Face, letters: str) -> tuple[bytes, Sequence[int]]:
    """The cut font, and which of its glyphs each letter is; 0 is the box for what is missing."""
    options = Options(hinting=False, notdef_outline=True, layout_features=[], legacy_kern=False, recalc_timestamp=False)
    options.drop_tables += ["FFTM"]  # FontForge's timestamps
    cutter = Subsetter(options)
    cutter.populate(unicodes=map(ord, letters))
    with TTFont(whole.path, recalcTimestamp=False) as font:
        cutter.subset(font)
        names = font.getBestCmap()
        written = BytesIO()
        glyphs = [font.getGlyphID(names[ord(letter)]) if ord(letter) in names else 0 for letter in letters]
        for table in set(font.keys()) - _KEPT - {"GlyphOrder"}:
            del font[table]
        font.save(written)
    return written.getvalue(), glyphs


def _meanings(letters: str) -> bytes:
    """The letter for each code, so that text can be copied and searched (ISO 32000-1, 9.10.3)."""
    lines = [f"<{code:04X}><{letter.encode('utf-16-be').hex()}>" for code, letter in enumerate(letters, 1)]
    blocks = [lines[start : start + 100] for start in range(0, len(lines), 100)]
    listed = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
    return (
        "/CIDInit/ProcSet findresource begin 12 dict begin begincmap\n"
        "/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)/Supplement 0>>def/CMapName/Adobe-Identity-UCS def/CMapType 2 def\n"
        f"1 begincodespacerange<0000><FFFF>endcodespacerange\n{listed}\n"
        "endcmap CMapName currentdict/CMap defineresource pop end end"
    ).encode()


def stream(content: bytes, more: str = "") -> bytes:
    packed = zlib.compress(content)
    return f"<</Filter/FlateDecode/Length {len(packed)}{more}>>stream\n".encode() + packed + b"\nendstream"
