"""Where tables are printed, and whether they are whole."""

import csv
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from io import TextIOWrapper

import typer
from rich.console import Console
from rich.markup import escape

from tasks.plain_text import UNPRINTABLE, one_line, sortable

ENDLESS = 1_000_000
"""columns where nothing is a terminal's: a file, another program"""
_NO_STYLE = "[none][/none]"
_FORMULA = re.compile(r"""(^|[;|])([\s"']*)(?=[=+\-@＝＋－＠])""")
"""where one begins: with the text, or with what a spreadsheet that splits at semicolons, as in much of Europe, takes for the next cell"""


class _Screen(Console):
    def on_broken_pipe(self) -> None:
        """rich would end the command, with the status of bad news; `standard_output` knows better."""
        raise


def console(*, stderr: bool = False) -> Console:
    """Standard output, or error; where that is no terminal, no line is folded or cut. `:x:` in a name is no emoji."""
    made = _Screen(emoji=False, stderr=stderr)
    return made if made.is_terminal else _Screen(emoji=False, stderr=stderr, width=ENDLESS)


def tell_if_cut(shown: int, limit: int) -> None:
    """On standard error, where it is in no program's way."""
    if shown == limit:
        typer.echo(f"The first {limit}: there may be more, see --limit.", err=True)


def plain(text: str) -> str:
    """What a customer or a file has written, as a table is to show it: no markup, and nothing that steers the terminal."""
    line = one_line(text)
    end = len(line.rstrip("\\"))
    # In front of a tag, and nowhere else, rich shows half of the backslashes: so the last ones always have one behind them.
    return escape(line[:end]) + (f"{line[end:] * 2}{_NO_STYLE}" if line[end:] else "")


def print_json(value: object) -> None:
    """For programs; but a person may have it on a terminal, so whatever would steer that is escaped, which JSON lets any letter be."""
    typer.echo("\n".join(_json_lines(value)))


def print_json_rows(rows: Iterable[object]) -> None:
    """What `print_json` prints of a list, row by row."""
    _echo_rows(rows)
    typer.echo()


def print_json_lists(value: Mapping[str, object], lists: Iterable[tuple[str, Iterable[object]]]) -> None:
    """What `print_json` prints of `value`, which must not be empty, with these lists added to it, row by row."""
    typer.echo("\n".join(_json_lines(value)[:-1]), nl=False)
    for name, rows in lists:
        typer.echo(f",\n  {json.dumps(name)}: ", nl=False)
        _echo_rows(rows, margin="  ")
    typer.echo("\n}")


def _echo_rows(rows: Iterable[object], margin: str = "") -> None:
    before = "["
    for row in rows:
        typer.echo(f"\n{margin}  ".join((before, *_json_lines(row))), nl=False)
        before = ","
    typer.echo("[]" if before == "[" else f"\n{margin}]", nl=False)


def _json_lines(value: object) -> list[str]:
    has_every_letter = (sys.stdout.encoding or "").lower().startswith("utf")
    lines = json.dumps(value, indent=2, ensure_ascii=not has_every_letter, default=sortable).split("\n")
    return [UNPRINTABLE.sub(_escaped, line) for line in lines]


def print_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """For spreadsheets, which take text that begins with one of `=+-@` for a formula: there is an apostrophe before each such sign.

    It is UTF-8 whatever the terminal's letters are: it goes into files, where a `?` for a letter would stay unseen.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="strict")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_csv_cell(cell) for cell in row] for row in rows)


def _csv_cell(value: object) -> object:
    if isinstance(value, datetime):
        return sortable(value)
    if not isinstance(value, str):
        return value
    return _FORMULA.sub(r"\1\2'", one_line(value))


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def moment(at: datetime) -> str:
    """In UTC, as every table and its heading say."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
