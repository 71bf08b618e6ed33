"""The watchdog ends a worker that takes no messages, and only that."""

from dataclasses import dataclass, field

from kombu.exceptions import OperationalError

from worker.watchdog import PATIENCE, Watchdog


@dataclass
class Scene:
    """A worker, its broker and the time, as a test wants them."""

    time: float = 0.0
    broker_is_away: bool = False
    takes: bool = True
    ended: int = 0
    dog: Watchdog = field(init=False)

    def __post_init__(self) -> None:
        self.dog = Watchdog(self.send, self.end, lambda: self.time)

    def send(self) -> None:
        if self.broker_is_away:
            raise OperationalError
        if self.takes:
            self.dog.taken()

    def end(self) -> None:
        self.ended += 1

    def after(self, seconds: float) -> int:
        self.time += seconds
        self.dog.look()
        return self.ended


def test_a_worker_that_takes_its_canaries_lives() -> None:
    scene = Scene()
    assert [scene.after(PATIENCE + 1) for _ in range(3)] == [0, 0, 0]


def test_a_worker_that_takes_nothing_is_ended_once_patience_is_over() -> None:
    scene = Scene(takes=False)
    assert [scene.after(PATIENCE), scene.after(1)] == [0, 1]


def test_a_worker_whose_broker_is_away_is_not_at_fault() -> None:
    scene = Scene(takes=False, broker_is_away=True)
    assert scene.after(10 * PATIENCE) == 0
    scene.broker_is_away = False
    assert [scene.after(PATIENCE), scene.after(1)] == [0, 1]


def test_a_busy_worker_that_only_finishes_is_not_at_fault() -> None:
    scene = Scene(takes=False)
    scene.after(PATIENCE - 1)
    scene.dog.taken()
    assert scene.after(PATIENCE) == 0
