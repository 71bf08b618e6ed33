"""If seats were added, and there are some without a user, ask the customer to assign them; users need one to sign in.

Unassigned seats stay on the subscription, are billed with it (on a trial nothing is) and can be assigned at any time.
"""

from uuid import UUID

from models import recording
from models.ending import Ending
from models.states import OrderStatus, Step
from tasks.failure_points import reach
from tasks.mail import mailing, still_true
from tasks.running.outcome import Outcome
from tasks.step import step, take
from tasks.wiring import begin_alone, carry

THIS = Step.PROMPT_SEAT_ASSIGNMENT


@step
def prompt_seat_assignment(order_id: UUID) -> Outcome:
    """The last step: send the prompt, if there is anything to assign, and complete the order."""
    with carry() as session:
        order = take(session, order_id, THIS)
        asks = bool(still_true.seats_to_assign(session, order))
    reach("prompt_seat_assignment.claimed")
    completed = asks and mailing.deliver_last(order)
    reach("prompt_seat_assignment.called")
    if not completed:
        with begin_alone() as session:
            recording.stop(session, order, Ending(OrderStatus.COMPLETED))
    return Outcome.DONE
