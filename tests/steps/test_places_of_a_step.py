"""A step stands in several tables: the one in which it was forgotten is named here, and not found by the first order that comes by."""

import inspect
import re
from collections.abc import Collection
from importlib import import_module

import pytest

from api_stub.views import timeline
from models.states import BACK, WAY_FORWARD, Step
from tasks import pipeline
from tasks.operating import resumption
from tasks.queues import QUEUES
from worker.drill.kinds import CALLS_OUTSIDE

TABLES: dict[str, Collection[str]] = {
    "tasks/pipeline.py: __all__": pipeline.__all__,
    "tasks/queues.py: QUEUES": QUEUES,
    "tasks/operating/resumption.py: _WILL": resumption._WILL,
}


@pytest.mark.parametrize("table", TABLES)
def test_no_step_is_missing_in_a_table_of_all_steps(table: str) -> None:
    assert [step.name for step in Step if step not in TABLES[table]] == [], f"missing in {table}"


@pytest.mark.parametrize("step", Step)
def test_a_step_is_a_module_a_function_and_a_task_of_its_name(step: Step) -> None:
    task = getattr(import_module(f"tasks.{step}"), step)
    assert task is getattr(pipeline, step)
    assert task.name == step


@pytest.mark.parametrize("step", [*WAY_FORWARD[:-1], *BACK[:-1]])
def test_the_timeline_says_in_words_that_a_step_is_done(step: Step) -> None:
    """The last step of each way ends the order, which has words of its own."""
    assert f"{step}.done" in timeline._TEXT, "missing in api_stub/views/timeline.py: _TEXT"


@pytest.mark.parametrize("step", Step)
def test_a_step_that_calls_outside_is_killed_there_by_drills(step: Step) -> None:
    source = inspect.getsource(import_module(f"tasks.{step}"))
    calls = re.search(r"\boutside\(\)|\bmailing\.deliver", source) is not None
    assert (step in CALLS_OUTSIDE) is calls, "worker/drill/kinds.py: CALLS_OUTSIDE"


@pytest.mark.parametrize("step", Step)
def test_a_step_has_the_places_at_which_a_crash_does_most_harm(step: Step) -> None:
    source = inspect.getsource(import_module(f"tasks.{step}"))
    places = [place for place in ("claimed", "called") if f'reach("{step}.{place}")' not in source]
    assert places == [], f'tasks/{step}.py: reach("{step}....")'


def test_the_business_process_is_told_in_its_order() -> None:
    told = re.findall(r"^    (\w+) ", inspect.getdoc(pipeline) or "", re.MULTILINE)
    assert told == list(WAY_FORWARD), "docstring of tasks/pipeline.py"
    assert pipeline.__all__ == [*WAY_FORWARD, *BACK], "__all__ of tasks/pipeline.py"
