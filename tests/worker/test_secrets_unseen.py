"""What holds secrets does not show them where it is printed, as in a traceback or a failed test."""

from dataclasses import fields
from pathlib import Path

from worker.processes import Child
from worker.stack import Stack


def test_a_child_shows_no_environment() -> None:
    child = Child(name="api", command=["true"], folder=Path(), env={"PRORATA_STRIPE_API_KEY": "sk_live_hush"})
    assert "hush" not in repr(child)
    assert "name='api'" in repr(child)


def test_a_stack_shows_no_variables() -> None:
    shown = {field.name for field in fields(Stack) if field.repr}
    assert shown == {"folder", "addresses", "settings", "processes", "postgres", "redis"}
