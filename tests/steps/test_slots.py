"""Two steps of a process work at once; others go on while they wait for the world outside."""

import threading
from collections.abc import Callable
from functools import partial

import pytest

from tasks import slots
from tests.support.messages import eventually


def in_a_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


class Meeting:
    """Threads with a slot, and how many there were at once at most."""

    def __init__(self) -> None:
        self.here, self.most = 0, 0
        self.not_alone = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.here += 1
            self.most = max(self.most, self.here)
            if self.here > 1:
                self.not_alone.set()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.here -= 1


def test_no_more_than_two_work_at_once() -> None:
    meeting = Meeting()

    def work() -> None:
        for _ in range(50):
            with slots.slot(), meeting:
                meeting.not_alone.wait(30)
                threading.Event().wait(0.0001)

    threads = [in_a_thread(work) for _ in range(8)]
    for thread in threads:
        thread.join(60)
    assert meeting.most == slots.AT_ONCE == 2


def test_all_may_wait_outside_at_once() -> None:
    outside = threading.Barrier(6)

    def work() -> None:
        with slots.slot(), slots.given_up():
            outside.wait(60)

    threads = [in_a_thread(work) for _ in range(6)]
    for thread in threads:
        thread.join(60)
    assert not outside.broken
    assert not any(thread.is_alive() for thread in threads)


def test_an_error_outside_leaves_no_slot_behind() -> None:
    for _ in range(3 * slots.AT_ONCE):
        with pytest.raises(ZeroDivisionError), slots.slot(), slots.given_up():
            raise ZeroDivisionError
    assert free() == slots.AT_ONCE


def free() -> int:
    return slots._slots._free


def test_a_step_within_a_step_needs_no_second_slot() -> None:
    with slots.slot(), slots.slot():
        assert free() == slots.AT_ONCE - 1
        with slots.given_up():
            assert free() == slots.AT_ONCE


def test_who_has_no_turn_gives_none_up() -> None:
    with slots.given_up():
        assert free() == slots.AT_ONCE


def test_a_step_gives_its_turn_up_each_time_it_waits_outside_and_comes_back_as_one_who_had_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    take, came_back = slots.Slots.take, []

    def watched(mine: slots.Slots, *, back: bool = False) -> None:
        came_back.append(back)
        take(mine, back=back)

    monkeypatch.setattr(slots.Slots, "take", watched)
    with slots.slot():
        for _ in range(2):
            with slots.given_up():
                assert free() == slots.AT_ONCE
    assert came_back == [False, True, True]


def test_who_comes_back_and_who_begins_take_turns_in_the_order_they_came() -> None:
    """While the only slot is held, two who begin queue up, then two who come back."""
    alone = slots.Slots(1)
    alone.take()
    order: list[str] = []

    def wait(name: str, *, back: bool) -> None:
        alone.take(back=back)
        order.append(name)
        alone.give()

    threads = []
    for name, back in (("new 1", False), ("new 2", False), ("back 1", True), ("back 2", True)):
        threads.append(in_a_thread(partial(wait, name, back=back)))
        assert eventually(lambda: len(alone._back) + len(alone._new) == len(threads))
    alone.give()
    for thread in threads:
        thread.join(60)
    assert order == ["back 1", "new 1", "back 2", "new 2"]


@pytest.mark.parametrize("back", [True, False])
def test_a_turn_is_lost_to_nobody_where_all_are_of_one_kind(back: bool) -> None:
    alone = slots.Slots(1)
    done: list[int] = []

    def wait(number: int) -> None:
        alone.take(back=back)
        done.append(number)
        alone.give()

    threads = [in_a_thread(partial(wait, number)) for number in range(5)]
    for thread in threads:
        thread.join(60)
    assert sorted(done) == list(range(5))
