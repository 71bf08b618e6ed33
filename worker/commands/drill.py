"""`prorata drill`, `prorata drill storm`: break the running system on purpose, on this machine, in a scratch folder."""

import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from worker.commands.exit_status import FAILED
from worker.commands.place import unused
from worker.commands.screen import print_json
from worker.drill import crash, showing
from worker.drill.cells import waves
from worker.drill.detour import proxies
from worker.drill.ground import ground
from worker.drill.storm import run as run_storm

drill = typer.Typer(help="Kill and cut off parts of the running system, and see that no order is lost.")

AsJson = Annotated[
    bool, typer.Option("--json", help="the outcome as JSON on standard output; progress goes to standard error")
]
Folder = Annotated[
    Path | None,
    typer.Option(
        help="keep data and logs here; must hold none of an earlier run; default: a scratch folder", file_okay=False
    ),
]
WIDTH = 140
"""columns where the output is no terminal"""
_progress = Console(stderr=True, emoji=False, highlight=False, width=None if sys.stderr.isatty() else WIDTH)


@drill.callback(invoke_without_command=True)
def crashes(
    context: typer.Context,
    rounds: Annotated[
        int, typer.Option(min=1, max=20, help="how often to kill at every place; each round with other kinds of orders")
    ] = 1,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Kill a process with -9 at every named place of every step, and check every order. Exit status 1 if anything is wrong."""
    if context.invoked_subcommand is not None:
        if (rounds, folder, as_json) != (1, None, False):
            raise typer.BadParameter(
                f"give options after the word {context.invoked_subcommand}; here they would have no effect"
            )
        return
    with _folder(folder) as place:
        with ground(place, say=_say) as prepared:
            report = crash.run(prepared, planned=waves(rounds), progress=_waves)
        _end(showing.crash_as_json(report), report.passed, as_json, lambda console: showing.show_crash(report, console))


@drill.command()
def storm(
    orders: Annotated[int, typer.Option(min=1, max=1_000_000)] = 300,
    minutes: Annotated[float, typer.Option(min=0.2, max=600, help="how long the storm lasts; then comes quiet")] = 1.0,
    seed: Annotated[int | None, typer.Option(help="of the storm's random choices; default: a random one")] = None,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Every kind of fault while orders are placed; then every order is held against Stripe's books and the mailbox."""
    chosen = secrets.randbelow(1_000_000) if seed is None else seed
    with _folder(folder) as place:
        _say(f"seed {chosen}")
        with proxies(place) as between, ground(place, detour=between.detour, say=_say) as prepared:
            report = run_storm(prepared, between, orders=orders, seed=chosen, seconds=minutes * 60, progress=_happening)
        _end(showing.storm_as_json(report), report.passed, as_json, lambda console: showing.show_storm(report, console))


def _end(said: dict[str, Any], passed: bool, as_json: bool, show: "showing.Show") -> None:
    if as_json:
        print_json(said)
    else:
        show(Console(emoji=False, highlight=False, width=None if sys.stdout.isatty() else WIDTH))
    if not passed:
        sys.exit(FAILED)


def _say(what: str) -> None:
    _progress.print(f"[dim]{what}[/]")


def _happening(seconds: float, what: str) -> None:
    _progress.print(f"[dim]{seconds:6.1f} s[/] {what}")


def _waves(done: int, of: int, what: str) -> None:
    _progress.print(f"[dim]{done:3}/{of}[/] {what}")


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """A scratch folder stays where the drill failed: its logs say why."""
    if given is not None:
        yield unused(given)
        return
    scratch = Path(tempfile.mkdtemp(prefix="prorata-drill-"))
    try:
        yield scratch
    except BaseException:
        _say(f"logs and data: {scratch}")
        raise
    shutil.rmtree(scratch, ignore_errors=True)
