"""Tables for people. Ids, numbers and statuses are whole at any width: they are there to be copied."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
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
        rows = [[Text.from_markup(cell) for cell in row] for row in self.rows]
        everything = range(len(self.columns))
        for chosen in (everything, [number for number in everything if not self.columns[number].spare]):
            columns = [self.columns[number] for number in chosen]
            cells = [[row[number] for number in chosen] for row in rows]
            if widths := _widths(columns, cells, options.max_width if console.is_terminal else None):
                yield _table(columns, cells, widths)
                return
        yield from _lines(self.columns, rows)


def _table(columns: Sequence[Column], rows: Sequence[Sequence[Text]], widths: Sequence[int]) -> Table:
    made = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for column, width in zip(columns, widths, strict=True):
        made.add_column(column.heading, width=width, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]], room: int | None) -> list[int] | None:
    """Of each column, such that no word is broken; None where there is no room for that. room: None where it has no end."""
    written = [[column.heading, *(row[number].plain for row in rows)] for number, column in enumerate(columns)]
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
