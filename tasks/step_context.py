"""What the step that this thread works on holds, between `tasks.step_runner`, which runs it, and `tasks.step`, which it calls."""

from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from models.orders import Order


@dataclass(slots=True)
class StepContext:
    """What the runner and the step at work tell each other.

    order: handed over by the step before, our lease still on it; None where the step has to claim it.
    next_stays_here: whether this step, once done, is to keep the lease for the next. handed_on: the order, once it has.
    token, restarts: of the order that was taken, for a step that fails: the order itself is unreadable after a rollback.
    The token is also what a step claims by that is done again under our own lease.
    """

    order: Order | None = None
    next_stays_here: bool = False
    handed_on: Order | None = None
    token: UUID | None = None
    restarts: int = 0


context: ContextVar[StepContext] = ContextVar("step_context")
