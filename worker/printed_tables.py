"""Tables for people. Ids, numbers and statuses are whole at any width: they are there to be copied."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

WIDE = 170
"""columns of a table that goes to a file, unless its words need more"""
GAP = 2
"""blanks between columns"""


@dataclass(frozen=True, slots=True)
class Column:
    heading: str
    right: bool = False
    spare: bool = False
    """left out where there is no room for it"""


@dataclass(frozen=True, slots=True)
class Rows:
    """A table whose cells are folded between words only. Where its words have no room, each cell has a line of its own.

    Cells may have markup. A column without a heading belongs to the one before it.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    title: str | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.title:
            yield Text(self.title, style="table.title")
        written = [[_text(cell).plain for cell in row] for row in self.rows]
        if not console.is_terminal:
            yield from _plain_table(console, self.columns, written, _widths(self.columns, written) or ())
            return
        rows = [[_text(cell) for cell in row] for row in self.rows]
        everything = range(len(self.columns))
        for chosen in (everything, [number for number in everything if not self.columns[number].spare]):
            columns = [self.columns[number] for number in chosen]
            if widths := _widths(columns, [[row[number] for number in chosen] for row in written], options.max_width):
                yield _table(columns, [[row[number] for number in chosen] for row in rows], widths)
                return
        yield from _lines(self.columns, rows)


def _text(cell: str) -> Text:
    """A name like `erp:x:1` has no emoji in it."""
    return Text.from_markup(cell, emoji=False)


def _plain_table(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]], widths: Sequence[int]
) -> Iterator[Segment]:
    """As `_table` where nothing has a style; of a hundred thousand rows, its layout would take half a minute."""
    for row in chain([[column.heading for column in columns]], rows):
        folded = [_folded(console, cell, width) for cell, width in zip(row, widths, strict=True)]
        for line in zip_longest(*folded, fillvalue=""):
            cells = []
            for column, width, cell in zip(columns, widths, line, strict=True):
                blanks = " " * (width - cell_len(cell))
                cells.append(blanks + cell if column.right else cell + blanks)
            yield Segment((" " * GAP).join(cells) + "\n")


def _folded(console: Console, cell: str, width: int) -> Sequence[str]:
    if cell_len(cell) <= width:
        return (cell,)
    return [line.plain for line in Text(cell).wrap(console, width, overflow="fold")]


def _table(columns: Sequence[Column], rows: Sequence[Sequence[Text]], widths: Sequence[int]) -> Table:
    made = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for column, width in zip(columns, widths, strict=True):
        made.add_column(column.heading, width=width, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int | None = None) -> list[int] | None:
    """Of each column, such that no word is broken; None where there is no room for that. room: None where it has no end."""
    written = [[column.heading, *(row[number] for row in rows)] for number, column in enumerate(columns)]
    widths = [max(cell_len(word) for cell in cells for word in cell.split(" ")) for cells in written]
    most = [max(map(cell_len, cells)) for cells in written]
    gaps = GAP * (len(columns) - 1)
    room = (max(WIDE, sum(widths) + gaps) if room is None else room) - gaps
    left = room - sum(widths)
    if left < 0:
        return None
    for number in sorted(range(len(columns)), key=lambda number: most[number] - widths[number]):
        more = min(left, most[number] - widths[number])
        widths[number] += more
        left -= more
    return widths


def _lines(columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> Iterator[Text]:
    indent = max(cell_len(column.heading) for column in columns) + GAP
    for number, row in enumerate(rows):
        if number:
            yield Text()
        said: list[Text] = []
        for column, cell in zip(columns, row, strict=True):
            if column.heading and cell:
                said.append(Text.assemble((column.heading.ljust(indent), "bold"), cell, overflow="fold"))
            elif cell:
                said[-1].append(" ").append_text(cell)
        yield from said
