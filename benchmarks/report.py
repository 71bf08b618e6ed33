"""The figures as a table for people."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.comparison import Compared
from benchmarks.figures import OURS, Figures
from benchmarks.scenarios.scenario import Findings

WORDS = {
    "bare_chain": "a bare Celery chain's",
    "watched_chain": "the bare chain's with events",
    "naive": "the naive chain's",
    "dbos": "DBOS's",
    "dramatiq": "Dramatiq's",
    "floor": "the statements' floor",
    "outside": "the floor of what is asked outside",
    "floor_outside": "the floor of both",
    "floor_grouped": "the floor of both, for 8 orders at a time",
}


def side_by_side(figures: Figures) -> Group:
    return Group(_overview(figures), Text(), *_where_time_goes(figures), Text(), *_ratios(figures), _machine(figures))


def _overview(figures: Figures) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, title="Six steps per order", title_justify="left", title_style="bold")
    table.add_column("")
    heads = (
        "orders/s",
        "min",
        "max",
        "CPU ms/order",
        "alone p50 ms",
        "p99",
        "SQL",
        "commits",
        "round trips",
        "MB/worker",
    )
    for head in heads:
        table.add_column(head, justify="right")
    for name, peer in figures["peers"].items():
        table.add_row(peer["title"], *_row(peer), style="bold" if name == OURS else None)
    return table


def _row(peer: dict[str, Any]) -> Iterator[str]:
    rate, alone, sql = peer["orders_per_second"], peer["alone_ms"], peer["sql_per_order"]
    yield from (f"{rate[which]:.1f}" for which in ("median", "min", "max"))
    yield f"{peer['cpu_ms_per_order']['total']:.1f}"
    yield from (f"{alone[which]:.1f}" for which in ("p50", "p99"))
    yield from (f"{sql[which]:.1f}" if sql else "-" for which in ("statements", "transactions", "round_trips"))
    yield " ".join(f"{megabytes:.0f}" for name, megabytes in peer["memory_mb"].items() if name.startswith("worker"))


def _where_time_goes(figures: Figures) -> Iterator[Text]:
    yield Text("Processor time per order, milliseconds", style="bold")
    for name, peer in figures["peers"].items():
        spent = {process: ms for process, ms in peer["cpu_ms_per_order"].items() if process != "total"}
        line = "  ".join(f"{process} {ms:.1f}" for process, ms in spent.items())
        apart = "  ".join(f"{process} {ms:.1f}" for process, ms in peer["stand_ins_cpu_ms_per_order"].items())
        yield Text(f"  {name:13} {line}" + (f"   apart: {apart}" if name == OURS else ""))


def _ratios(figures: Figures) -> Iterator[Text]:
    for name, ratio in figures["ratios"].items():
        if name in WORDS:
            yield Text(f"Prorata's orders/s are {ratio:.2f} x {WORDS[name]}", style="bold")
        elif name == "latency_over_bare_chain":
            yield Text(f"One order alone takes {ratio:.2f} x as long as through a bare chain (p50)", style="bold")


def _machine(figures: Figures) -> Text:
    here = figures["surroundings"]
    versions = {**here["versions"]}
    for peer in figures["peers"].values():
        versions |= peer["versions"]
    told = ", ".join(f"{name} {number}" for name, number in versions.items())
    return Text(
        f"\n{here['processors']} processors, load {here['load_before']:.1f} before, "
        f"{here['disk_sync_ms']:.1f} ms to the disk and back. {told}",
        style="dim",
    )


def of_scenario(question: str, findings: Findings) -> Group:
    rows = [Text(question, style="bold")]
    width = max(26, *(len(case) + 2 for case in findings.rows))
    for case, figures in findings.rows.items():
        rows.append(Text(f"  {case:{width}}" + "   ".join(f"{name} {value:,.1f}" for name, value in figures.items())))
    rows += [Text(f"  {name}: {ratio:.2f} x", style="bold") for name, ratio in findings.ratios.items()]
    return Group(*rows)


def of_comparison(revision: str, figures: Mapping[str, Compared]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="Medians of the rounds; ratios round by round", title_justify="left")
    for head in ("", "this version", revision, "ratio", "least", "most"):
        table.add_column(head, justify="right" if head else "left", no_wrap=True)
    for name, each in figures.items():
        ratio = f"{each.ratio:.3f} ± {each.error:.3f}"
        ends = (f"{end:.3f}" for end in (min(each.ratios), max(each.ratios)))
        table.add_row(name, f"{each.ours:.2f}", f"{each.other:.2f}", Text(ratio, style="bold"), *ends)
    return table
