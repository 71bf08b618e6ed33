"""If seats were added and are not assigned yet, ask the customer to assign them; users need one to sign in.

Unassigned seats stay on the subscription, are billed with it (on a trial nothing is) and can be assigned at any time.
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from models import order_cache, progress
from models.ending import Ending
from models.orders import OrderLine
from models.states import OrderStatus, Step
from tasks.failure_points import reach
from tasks.mail import mailing
from tasks.running.outcome import Outcome, why_not
from tasks.step import step, take
from tasks.wiring import begin_alone, carry

THIS = Step.PROMPT_SEAT_ASSIGNMENT


@step
def prompt_seat_assignment(order_id: UUID) -> Outcome:
    """The last step: send the prompt, if there is anything to assign, and complete the order."""
    with carry() as session:
        order = take(session, order_id, THIS)
        lines = order_cache.lines(session, order) if order is not None else []
        assigned = order_cache.assigned_users(session, order) if order is not None else {}
    if order is None:
        return why_not(order_id, THIS)
    reach("prompt_seat_assignment.claimed")
    completed = asks(lines, assigned) and mailing.deliver_last(order)
    reach("prompt_seat_assignment.called")
    if not completed:
        with begin_alone() as session:
            progress.stop(session, order, Ending(OrderStatus.COMPLETED))
    return Outcome.DONE


def asks(lines: Iterable[OrderLine], assigned: Mapping[UUID, int]) -> bool:
    """Whether the order added seats that nobody sits on. assigned: users by subscription."""
    return any(rose(line) and line.seats > _users(line, assigned) for line in lines)


def rose(line: OrderLine) -> bool:
    """Whether the seats rose with the order, or are new."""
    return line.from_seats is None or line.seats > line.from_seats


def _users(line: OrderLine, assigned: Mapping[UUID, int]) -> int:
    return assigned.get(line.subscription_id, 0) if line.subscription_id else 0
