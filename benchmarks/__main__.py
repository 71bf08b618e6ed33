"""`python -m benchmarks`: side by side. `python -m benchmarks scenario NAME`: Prorata under one kind of load.

`python -m benchmarks profile`: where its processor time goes. `python -m benchmarks compare REVISION`: beside an earlier version.
"""

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status

from benchmarks import chart, comparison, figures, profiling, profiling_report, report, rounds
from benchmarks.contestants import PEERS
from benchmarks.failures import MeasurementFailed
from benchmarks.peer import Peer
from benchmarks.scenarios import mixed_day, old_orders, placing, processes, sale, slow_payments
from benchmarks.scenarios.scenario import Place
from benchmarks.turn import Size
from worker.processes import ChildFailed

RESULTS = Path(__file__).parent / "results"

LONG = (5, Size(orders=300, alone=30, warm_up=60))
SHORT = (1, Size(orders=100, alone=15, warm_up=30))
"""rounds, and the size of a turn"""

Name = StrEnum("Name", {name.upper(): name for name in PEERS})  # type: ignore[misc]
SCENARIOS = {
    "placing": placing.SCENARIO,
    "sale": sale.SCENARIO,
    "slow-payments": slow_payments.SCENARIO,
    "old-orders": old_orders.SCENARIO,
    "processes": processes.SCENARIO,
    "mixed-day": mixed_day.SCENARIO,
}
ScenarioName = StrEnum("ScenarioName", {name: name for name in SCENARIOS})  # type: ignore[misc]
LIBRARIES = figures.versions(PEERS[figures.OURS].packages)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(stderr=True)


@app.callback(invoke_without_command=True)
def side_by_side(
    context: typer.Context,
    only: Annotated[list[Name] | None, typer.Option(help="only these; Prorata need not be among them")] = None,
    number: Annotated[int | None, typer.Option("--rounds", min=1, help="turns of each")] = None,
    orders: Annotated[int | None, typer.Option(min=10, help="orders in a turn's burst")] = None,
    short: Annotated[bool, typer.Option("--short", help="two minutes")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the figures as JSON on standard output")] = False,
    statements: Annotated[bool, typer.Option(help="count SQL statements in a side run")] = True,
) -> None:
    """Prorata and what it could have been built on, in rounds, on the same PostgreSQL and Redis."""
    if context.invoked_subcommand is not None:
        if any(context.get_parameter_source(name).name != "DEFAULT" for name in context.params):  # type: ignore[union-attr]
            raise typer.BadParameter(
                f"give options after the word {context.invoked_subcommand}; here they would have no effect"
            )
        return
    usual_rounds, usual = SHORT if short else LONG
    rounds_ = number or usual_rounds
    size = Size(orders or usual.orders, usual.alone, usual.warm_up)
    peers = [PEERS[name] for name in only] if only else list(PEERS.values())
    with console.status("starting PostgreSQL and Redis") as status:
        found = _measured(peers, rounds_, size, status, statements=statements)
    if set(found["peers"]) == set(PEERS) and statements and rounds_ > SHORT[0] and size.orders > SHORT[1].orders:
        _keep(found)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        Console(width=max(console.width, 160)).print(report.side_by_side(found))


@app.command("profile")
def profile(orders: Annotated[int, typer.Option(min=10, help="in the burst that is looked at")] = 200) -> None:
    """Where Prorata's processor time goes: by step and by library."""
    with console.status("profiling a burst of orders"), rounds.venue() as (running, scratch):
        found = profiling.take(running, scratch, orders=orders)
    Console(width=max(console.width, 160)).print(profiling_report.table(found))
    for function, seen in found.functions.most_common(25):
        typer.echo(f"{seen:6}  {function}")


@app.command("scenario")
def scenario(
    name: Annotated[ScenarioName, typer.Argument(show_default=False)],
    orders: Annotated[int | None, typer.Option(min=10, help="as many as it sends")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="the figures as JSON on standard output")] = False,
) -> None:
    """Prorata under one kind of load."""
    chosen = SCENARIOS[name]
    with console.status(name) as status, rounds.venue() as (running, scratch):
        here = figures.surroundings(LIBRARIES | running.versions())
        sent = orders or chosen.orders
        findings = chosen.run(Place(running, scratch, status.update), sent)
    if as_json:
        told = {"surroundings": here, "scenario": name, "orders": sent, **asdict(findings)}
        typer.echo(json.dumps(told, indent=2))
    else:
        Console().print(report.of_scenario(chosen.question, findings))


@app.command("compare")
def compare(
    revision: Annotated[str, typer.Argument(help="as git knows it: a tag, a branch, a commit", show_default=False)],
    number: Annotated[int, typer.Option("--rounds", min=2, help="turns of each")] = 8,
    orders: Annotated[int, typer.Option(min=10, help="in a turn's burst")] = 300,
    alone: Annotated[int, typer.Option(min=1, help="one after the other, after each burst")] = 15,
    as_json: Annotated[bool, typer.Option("--json", help="the figures as JSON on standard output")] = False,
) -> None:
    """This version, as it lies here, beside an earlier one, in turns."""
    here = figures.surroundings(LIBRARIES)
    with console.status("unpacking") as status, rounds.folder() as folder:
        try:
            found = comparison.run(revision, folder, rounds=number, orders=orders, alone=alone, say=status.update)
        except comparison.NoSuchVersion as error:
            raise typer.BadParameter(str(error), param_hint="REVISION") from error
    if as_json:
        here["versions"] |= found.versions
        each = {name: {**asdict(it), "ratio": it.ratio, "error": it.error} for name, it in found.figures.items()}
        size = {"rounds": number, "orders": orders, "alone": alone}
        typer.echo(json.dumps({"surroundings": here, "compared_with": revision, **size, "figures": each}, indent=2))
    else:
        Console(width=max(console.width, 100)).print(report.of_comparison(revision, found.figures))


def _measured(peers: list[Peer], number: int, size: Size, status: Status, *, statements: bool) -> figures.Figures:
    with rounds.venue() as (running, scratch):
        here = figures.surroundings(running.versions())
        turns = rounds.measure(peers, running, scratch, rounds=number, size=size, say=status.update)
        asked = rounds.count_statements(peers, running, scratch, say=status.update) if statements else {}
    each = {peer.name: figures.of_peer(peer, turns[peer.name], asked.get(peer.name)) for peer in peers}
    return {
        "surroundings": here,
        "rounds": number,
        "orders_in_a_turn": size.orders,
        "peers": each,
        "ratios": figures.ratios(each),
    }


def _keep(found: figures.Figures) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.json").write_text(json.dumps(found, indent=2) + "\n")
    chart.draw(found, RESULTS / "latest.png")


def main() -> None:
    try:
        app()
    except (MeasurementFailed, ChildFailed) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
