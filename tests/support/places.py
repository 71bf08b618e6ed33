"""What happens when a step reaches a named place (`tasks.failure_points`). That it is reached is asserted: a test of a place that nobody passes proves nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tasks import failure_points


class Died(BaseException):
    """The process is gone: nothing catches this."""


@contextmanager
def at(place: str, happens: Callable[[], object], *, nth: int = 1) -> Iterator[None]:
    """In the block, call `happens` when `place` is reached for the `nth` time, and only then."""
    passed = 0

    def reached(name: str, _: str) -> None:
        nonlocal passed
        if name != place:
            return
        passed += 1
        if passed == nth:
            failure_points.arm(None)
            happens()

    failure_points.arm(reached)
    try:
        yield
    finally:
        failure_points.arm(None)
        assert passed == nth, f"{place} is reached {passed} times"


@contextmanager
def dying_at(place: str, *, nth: int = 1) -> Iterator[None]:
    """A worker dies there, and the block ends."""
    with pytest.raises(Died), at(place, _die, nth=nth):
        yield


def _die() -> None:
    raise Died
