"""What the benchmarks make of what they measured: by hand, from a few numbers."""

import subprocess
from pathlib import Path

import pytest

from benchmarks import comparison, figures, statements
from benchmarks.comparison import ROOT, NoSuchVersion
from benchmarks.peer import Peer, Processes
from benchmarks.scenarios.scenario import in_turns, ratios
from benchmarks.turn import Turn

PEER = Peer("prorata", "Prorata", ("celery",), lambda _: Processes([]), "nowhere:Load")


def turn(*, seconds: float, alone: list[float]) -> Turn:
    return Turn(100, seconds, {"worker-1": 1.0, "postgres": 0.5}, {"stripe": 0.2}, alone, {"worker-1": 150.0})


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2), (0.75, 3), (0.76, 4), (0.99, 4), (0.0, 1)])
def test_a_percentile_is_a_value_that_was_seen(share: float, expected: int) -> None:
    assert figures.percentile([4, 1, 3, 2], share) == expected


def test_of_several_rounds_the_median_counts_and_processor_time_is_per_order() -> None:
    seen = figures.of_peer(PEER, [turn(seconds=s, alone=[0.02]) for s in (1.0, 2.0, 4.0)], None)
    assert seen["orders_per_second"]["median"] == 50
    assert (seen["orders_per_second"]["min"], seen["orders_per_second"]["max"]) == (25, 100)
    assert seen["cpu_ms_per_order"] == {"total": 15.0, "worker-1": 10.0, "postgres": 5.0}
    assert seen["stand_ins_cpu_ms_per_order"] == {"stripe": 2.0}, "apart, and not in the total"


def test_a_ratio_is_of_neighbours_and_not_of_medians() -> None:
    """The machine became twice as slow in the second round, for both."""
    ours = figures.of_peer(PEER, [turn(seconds=s, alone=[0.03]) for s in (1.0, 2.0, 2.0)], None)
    bare = figures.of_peer(PEER, [turn(seconds=s, alone=[0.02]) for s in (0.5, 1.0, 4.0)], None)
    found = figures.ratios({"prorata": ours, "bare_chain": bare})
    assert found == {"bare_chain": 0.5, "latency_over_bare_chain": pytest.approx(1.5)}


def test_the_ratio_of_latencies_too_is_of_neighbours() -> None:
    """Alone, Prorata took twice as long in each round; the first was twice as slow for both, and Prorata's had more orders."""
    ours = figures.of_peer(PEER, [turn(seconds=1.0, alone=alone) for alone in ([0.04] * 3, [0.02])], None)
    bare = figures.of_peer(PEER, [turn(seconds=1.0, alone=alone) for alone in ([0.02], [0.01] * 3)], None)
    assert ours["alone_ms"]["rounds"] == [40.0, 20.0]
    assert figures.ratios({"prorata": ours, "bare_chain": bare})["latency_over_bare_chain"] == 2.0


def test_figures_say_of_which_commit_they_are() -> None:
    """As git knows the code that is measured; elsewhere, such as in an unpacked archive, there is none."""
    told = subprocess.run(
        ["git", "rev-parse", "--short=7", "HEAD"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    found = figures.surroundings({"PostgreSQL": "16.4"})
    assert (found["commit"] or "").startswith(told.stdout.strip())
    assert found["versions"]["PostgreSQL"] == "16.4"


def test_cases_take_turns_and_every_other_round_goes_backwards() -> None:
    order: list[str] = []

    def measured(name: str) -> int:
        order.append(name)
        return len(order)

    seen = in_turns(lambda _: None, {"a": lambda: measured("a"), "b": lambda: measured("b")}, rounds=3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert seen == {"a": [1, 4, 5], "b": [2, 3, 6]}


def test_a_scenario_tells_the_median_of_its_rounds_and_both_ends() -> None:
    assert ratios([1.0, 3.0, 2.0], [1.0, 2.0, 4.0], called="x") == {"x": 1.0, "x, least": 0.5, "x, most": 1.5}


def test_two_versions_are_compared_round_by_round() -> None:
    """Twice as quick in each round, though the machine moved by a factor of three between them."""
    found = comparison.compared([{"orders/s": r} for r in (20.0, 60.0)], [{"orders/s": r} for r in (10.0, 30.0)])
    assert (found["orders/s"].ours, found["orders/s"].other) == (40, 20)
    assert (found["orders/s"].ratio, found["orders/s"].error) == (2, 0)


def test_the_error_of_a_ratio_grows_with_what_the_rounds_differ_by() -> None:
    apart = comparison.compared([{"x": 1.0}, {"x": 3.0}], [{"x": 1.0}, {"x": 1.0}])["x"]
    assert apart.ratio == 2
    assert apart.error == pytest.approx(1.25)


def test_a_version_that_git_has_not_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(NoSuchVersion, match="no-such-version"):
        comparison.run("no-such-version", tmp_path, rounds=2, orders=10, alone=1, say=lambda _: None)


def test_statements_are_counted_without_what_begins_and_ends_a_transaction() -> None:
    said = ["BEGIN", "SELECT 1", "INSERT INTO x", "COMMIT", ";", "UPDATE x"]
    assert statements.summary(said, 2) == statements.Asked(statements=1.5, transactions=0.5, round_trips=3)
