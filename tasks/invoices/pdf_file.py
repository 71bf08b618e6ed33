"""Writes a PDF: sheets with texts, lines and areas at given places (ISO 32000-1). No date, no random id.

Our own writer, because an invoice needs so little of the format: a library's canvas took five milliseconds for what takes half a millisecond here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NamedTuple

from tasks.invoices.typeface import Cut, Face, stream

_FIRST_FONT: Final = 4
"""number of the first font object: after the catalogue, the list of pages and the document's properties"""


class Style(NamedTuple):
    """size, leading: points. color: `r g b`, each 0 to 1."""

    face: Face
    size: float
    leading: float
    color: str
    right: bool = False


class Text(NamedTuple):
    """`y` is the baseline. Here and below: points from the sheet's left and top edge."""

    x: float
    y: float
    text: str
    style: Style


class Rule(NamedTuple):
    x: float
    y: float
    length: float
    thickness: float
    color: str


class Area(NamedTuple):
    x: float
    y: float
    width: float
    height: float
    color: str


Mark = Text | Rule | Area


@dataclass(frozen=True, slots=True)
class About:
    """The document's properties; `language` is an ISO 639 code."""

    title: str
    author: str
    language: str


def written(sheets: Sequence[Sequence[Mark]], *, width: float, height: float, about: About) -> bytes:
    cuts = _cuts([mark for sheet in sheets for mark in sheet if isinstance(mark, Text)])
    fonts = [each for cut in cuts.values() for each in cut.objects]
    first_sheet = _FIRST_FONT + len(fonts)
    numbers = range(first_sheet, first_sheet + 2 * len(sheets), 2)
    kids = " ".join(f"{number} 0 R" for number in numbers)
    named = "".join(f"/{face.name} {cut.first} 0 R" for face, cut in cuts.items())
    objects = [
        f"<</Type/Catalog/Pages 2 0 R/Lang{_string(about.language)}/ViewerPreferences<</DisplayDocTitle true>>>>".encode(),
        f"<</Type/Pages/Count {len(sheets)}/Kids[{kids}]/MediaBox[0 0 {width:.2f} {height:.2f}]"
        f"/Resources<</Font<<{named}>>>>>>".encode(),
        f"<</Title{_string(about.title)}/Author{_string(about.author)}/Creator{_string('Prorata')}>>".encode(),
        *fonts,
    ]
    for number, sheet in zip(numbers, sheets, strict=True):
        objects += [
            f"<</Type/Page/Parent 2 0 R/Contents {number + 1} 0 R>>".encode(),
            stream(_drawn(sheet, cuts, height).encode()),
        ]
    return _file(objects)


def _cuts(texts: Sequence[Text]) -> dict[Face, Cut]:
    said: dict[Face, list[str]] = {}
    for mark in texts:
        said.setdefault(mark.style.face, []).append(mark.text)
    cuts: dict[Face, Cut] = {}
    first = _FIRST_FONT
    for face in sorted(said, key=lambda face: face.name):
        cuts[face] = face.cut(said[face], first=first)
        first += len(cuts[face].objects)
    return cuts


def _drawn(sheet: Sequence[Mark], cuts: dict[Face, Cut], height: float) -> str:
    """Areas and lines first, so that no text is hidden; a font and a colour are named where they change."""
    steps: list[str] = []
    for mark in sheet:
        if isinstance(mark, Area):
            bottom = height - mark.y - mark.height
            steps.append(f"{mark.color} rg {mark.x:.2f} {bottom:.2f} {mark.width:.2f} {mark.height:.2f} re f")
    for mark in sheet:
        if isinstance(mark, Rule):
            y, end = height - mark.y, mark.x + mark.length
            steps.append(f"{mark.color} RG {mark.thickness:g} w {mark.x:.2f} {y:.2f} m {end:.2f} {y:.2f} l S")
    steps.append("BT")
    before: Style | None = None
    for mark in sheet:
        if not isinstance(mark, Text):
            continue
        style = mark.style
        if style is not before:
            steps.append(f"/{style.face.name} {style.size:g} Tf {style.color} rg")
            before = style
        steps.append(f"1 0 0 1 {mark.x:.2f} {height - mark.y:.2f} Tm<{cuts[style.face].encoded(mark.text)}>Tj")
    return "\n".join([*steps, "ET"])


def _string(text: str) -> str:
    return f"<feff{text.encode('utf-16-be').hex()}>"


def _file(objects: Sequence[bytes]) -> bytes:
    head = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    bodies = [b"%d 0 obj\n%b\nendobj\n" % (number, body) for number, body in enumerate(objects, 1)]
    *starts, end = accumulate(map(len, bodies), initial=len(head))
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    count = len(objects) + 1
    tail = b"trailer\n<</Size %d/Root 1 0 R/Info 3 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (count, end)
    return b"".join([head, *bodies, b"xref\n0 %d\n0000000000 65535 f \n" % count, table, tail])
