"""Tests that name a place where something happens fail where it is not reached."""

import pytest

from tasks.failure_points import reach
from tests.support.places import Died, at, dying_at


def reach_here(times: int) -> None:
    for _ in range(times):
        reach("elsewhere")
        reach("here")


def test_what_is_to_happen_at_a_place_happens_at_the_time_that_is_named_and_only_then() -> None:
    seen: list[str] = []
    with at("here", lambda: seen.append("it"), nth=2):
        reach_here(1)
        assert seen == []
        reach_here(2)
    reach_here(2)
    assert seen == ["it"]


@pytest.mark.parametrize("times", [0, 1])
def test_a_place_that_is_reached_too_seldom_fails_the_test(times: int) -> None:
    with pytest.raises(AssertionError, match=rf"^here is reached {times} times"), dying_at("here", nth=2):
        reach_here(times)


def test_a_death_ends_the_block() -> None:
    outlived: list[str] = []
    with dying_at("here"):
        reach("here")
        outlived.append("it")
    reach("here")
    assert outlived == []


def test_a_death_elsewhere_is_not_taken_for_the_one_that_is_named() -> None:
    with pytest.raises(AssertionError, match=r"^here is reached 0 times"), dying_at("here"):
        raise Died
