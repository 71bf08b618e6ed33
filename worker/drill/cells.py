"""The places where processes are killed, in waves: a wave has at most one place of each queue, and one outside the steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from models.states import Step
from tasks.queues import QUEUES
from worker.drill.kinds import KINDS, STEPS, Kind, points_of

PLACEMENT = (("placement", "inserted"), ("placement", "committed"))
RELAY = ("relay", "published")
KEY_SPENT = (Step.COLLECT_PAYMENT.value, "key_spent")
"""passed only where Stripe has failed, and keeps that under the charge's key"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One kill: where, and what kind of order is to be there."""

    row: str
    point: str
    kind: Kind

    @property
    def place(self) -> str:
        return f"{self.row}.{self.point}"

    @property
    def is_step(self) -> bool:
        return self.row in list(Step)


def waves(rounds: int) -> list[list[Cell]]:
    """Every place once a round, with another kind of order each round. A place at which Stripe is to fail has a wave of its own."""
    made = []
    charged = [kind for kind in KINDS if kind.passes(Step.COLLECT_PAYMENT, "calling")]
    for number in range(rounds):
        queues = [[_cell(step, point, number) for step, point in places] for places in _by_queue().values()]
        others = [Cell(*place, KINDS[(number + index) % len(KINDS)]) for index, place in enumerate((*PLACEMENT, RELAY))]
        made += [[cell for cell in wave if cell] for wave in zip_longest(*queues, others)]
        made.append([Cell(*KEY_SPENT, charged[number % len(charged)])])
    return made


def _by_queue() -> dict[str, list[tuple[Step, str]]]:
    """The places of each queue's steps. A wave takes one of each queue; a queue with fewer places is missing from the last waves."""
    by_queue: dict[str, list[tuple[Step, str]]] = {}
    for step in STEPS:
        by_queue.setdefault(QUEUES[step], []).extend((step, point) for point in points_of(step))
    return by_queue


def _cell(step: Step, point: str, number: int) -> Cell:
    passing = [kind for kind in KINDS if kind.passes(step, point)]
    place = [(s, p) for s in STEPS for p in points_of(s)].index((step, point))
    return Cell(step.value, point, passing[(place + number) % len(passing)])


def rows() -> Iterator[tuple[str, Sequence[str]]]:
    """The table's rows with the points that each has."""
    for row, point in (*PLACEMENT, RELAY):
        yield row, (point,)
    for step in STEPS:
        yield step.value, points_of(step)
    yield KEY_SPENT[0], KEY_SPENT[1:]
