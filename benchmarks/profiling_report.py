"""A profile as a table: libraries down, steps across."""

from rich import box
from rich.table import Table

from benchmarks.profiling import BETWEEN, LIBRARIES, Profile
from models.states import FORWARD

STEPS = (*(step.value for step in FORWARD), BETWEEN)


def table(profile: Profile) -> Table:
    """Milliseconds of the workers' processor time per order."""
    found = Table(box=box.SIMPLE_HEAD, title="CPU ms per order, by step and library", title_justify="left")
    found.add_column("")
    for step in (*STEPS, "all"):
        found.add_column(step.replace("_", "\n", 1).replace(" ", "\n"), justify="right")
    libraries = [*LIBRARIES, "Python itself"]
    for library in sorted(libraries, key=lambda each: -_sum(profile, library=each)):
        found.add_row(library, *_row([profile.milliseconds.get((step, library), 0.0) for step in STEPS]))
    found.add_section()
    found.add_row("all", *_row([_sum(profile, step=step) for step in STEPS]))
    return found


def _row(values: list[float]) -> list[str]:
    return [f"{value:.1f}" if value >= 0.05 else "" for value in (*values, sum(values))]


def _sum(profile: Profile, *, step: str | None = None, library: str | None = None) -> float:
    return sum(ms for (a, b), ms in profile.milliseconds.items() if step in (None, a) and library in (None, b))
