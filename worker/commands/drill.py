"""`prorata drill`, `prorata drill storm`: break the running system on purpose, on this machine, in a scratch folder."""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from worker.drill import crash, showing
from worker.drill.ground import ground

drill = typer.Typer(help="Kill and cut off parts of the running system, and see that no order is lost.")

AsJson = Annotated[
    bool, typer.Option("--json", help="the outcome as JSON on standard output; progress goes to standard error")
]
Folder = Annotated[
    Path | None, typer.Option(help="keep data and logs here; a scratch folder unless given", file_okay=False)
]
_progress = Console(stderr=True, highlight=False)


@drill.callback(invoke_without_command=True)
def crashes(
    context: typer.Context,
    rounds: Annotated[
        int, typer.Option(min=1, max=20, help="times every place; each round with other kinds of orders")
    ] = 1,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Kill a process with -9 at every named place of every step, and check every order. Exit status 1 if anything is wrong."""
    if context.invoked_subcommand is not None:
        return
    with _folder(folder) as place, ground(place, say=_say) as prepared:
        report = crash.run(prepared, rounds=rounds, progress=_waves)
    _end(showing.crash_as_json(report), report.passed, as_json, lambda console: showing.show_crash(report, console))


def _end(said: dict[str, Any], passed: bool, as_json: bool, show: "showing.Show") -> None:
    if as_json:
        typer.echo(json.dumps(said, indent=2))
    else:
        show(Console(highlight=False))
    if not passed:
        sys.exit(1)


def _say(what: str) -> None:
    _progress.print(f"[dim]{what}[/]")


def _waves(done: int, of: int, what: str) -> None:
    _progress.print(f"[dim]{done:3}/{of}[/] {what}")


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="prorata-drill-") as scratch:
        yield Path(scratch)
