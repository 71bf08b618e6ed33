"""The demo on the screen: what is under way now, what has ended, and in the end all of it as a table."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from api_stub.demo.playing import Played
from api_stub.demo.sample_file import SampleOrder
from api_stub.demo.upstream import Json


class Screen(AbstractContextManager["Screen"]):
    """On a terminal the orders under way move at the bottom; elsewhere each is one line when it has ended."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(),
            TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._all = self._progress.add_task("sample orders", total=total)
        self._under_way: dict[str, TaskID] = {}
        self._told: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begins(self, sample: SampleOrder) -> None:
        self._under_way[sample.name] = self._progress.add_task(f"[cyan]{sample.name}", total=7)

    def moves(self, sample: SampleOrder, entry: Json) -> None:
        """`entry` is in the order's timeline; one that was told before is left alone."""
        if entry["id"] <= self._told.get(sample.name, 0):
            return
        self._told[sample.name] = entry["id"]
        task = self._under_way[sample.name]
        description = f"[cyan]{sample.name}[/]: {escape(entry['text'])}"
        self._progress.update(task, advance=int(entry["kind"].endswith(".done")), description=description)

    def ends(self, played: Played, complaints: Sequence[str]) -> None:
        mark = "[red]✗[/]" if complaints else "[green]✓[/]"
        self._progress.console.print(f"{mark} {played.sample.name}: {escape(outcome(played))}", highlight=False)
        for complaint in complaints:
            self._progress.console.print(f"    [red]{escape(complaint)}[/]", highlight=False)
        self._progress.remove_task(self._under_way.pop(played.sample.name))
        self._progress.advance(self._all)


def outcome(played: Played) -> str:
    """How it ended, in a few words."""
    if played.refusal is not None:
        return f"refused: {played.refusal.code}"
    if played.order is None:
        return "never placed"
    waits = [event["kind"].removeprefix("order.") for event in played.order["timeline"] if _is_wait(event["kind"])]
    return " → ".join([*waits, played.order["status"]]).replace("_", " ")


def results(
    played: Sequence[Played], judged: Mapping[str, Sequence[str]], languages: Mapping[str, str], *, wide: bool
) -> Table:
    """All of it. wide: one line each; else what was ordered and what came of it stand below each other."""
    table = Table(box=None, pad_edge=False, title="What came of the sample orders", title_justify="left")
    for name in ("", "order", "what it was", *(("language", "outcome") if wide else ())):
        table.add_column(name)
    for name in ("net", "tax", "charged"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("period", no_wrap=True)
    for each in played:
        mark = "[red]✗[/]" if judged[each.sample.name] else "[green]✓[/]"
        number = str(each.order["number"]) if each.order else "–"
        language = languages[each.sample.account]
        name = escape(each.sample.name)
        ended = escape(outcome(each))
        what = (name, language, ended) if wide else (f"{name}\n  [dim]{language}[/] {ended}",)
        table.add_row(mark, number, *what, *(escape(cell) for cell in _amounts(each.order)))
    return table


def _amounts(order: Json | None) -> tuple[str, str, str, str]:
    if order is None:
        return "", "", "", ""
    totals = order["totals"]
    period = order["lines"][0]["period"]
    dates = (f"{datetime.fromisoformat(period[end]):%d.%m.%y}" for end in ("start", "end"))
    return totals["net"]["text"], totals["tax"]["text"], order["payment"]["charged"]["text"], "–".join(dates)


def _is_wait(kind: str) -> bool:
    return kind.startswith("order.awaiting_") or kind == "order.payment_declined"
