"""How a delivery of a step ended."""

from enum import StrEnum
from uuid import UUID

from models import progress
from models.states import BACK, OrderStatus, Step, steps_from
from tasks.wiring import begin


class Outcome(StrEnum):
    """As Flower shows it."""

    DONE = "done"
    ALREADY_DONE = "already_done"
    """an earlier delivery did it; the chain goes on"""
    HELD_BY_ANOTHER = "held_by_another"
    """another worker holds it, or a later try is scheduled; that worker or try continues the chain"""
    NOT_OPEN = "not_open"
    """the order waits or has ended"""
    STOPPED = "stopped"
    """this delivery ended the order, or made it wait for the customer"""
    TURNED_BACK = "turned_back"
    """the order cannot go forward; what was charged is refunded"""
    POSTPONED = "postponed"
    """not now; the sweep takes it up again"""


GOES_ON = (Outcome.DONE, Outcome.ALREADY_DONE)
"""after which the next step's turn has come"""


class NotOurTurn(Exception):
    """The order could not be taken: another worker has it, it is past this step, or it is not open. `why_not` says which."""

    def __init__(self, order_id: UUID) -> None:
        super().__init__(f"order {order_id} could not be taken")


def why_not(order_id: UUID, this: Step) -> Outcome:
    """The outcome of a step that could not take the order."""
    with begin() as session:
        standing = progress.status_and_step(session, order_id)
    if standing is None or standing[0] is not OrderStatus.OPEN:
        return Outcome.NOT_OPEN
    went_on = standing[1] in steps_from(this)[1:] or (this not in BACK and standing[1] in BACK)
    return Outcome.ALREADY_DONE if went_on else Outcome.HELD_BY_ANOTHER
