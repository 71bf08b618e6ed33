"""State shared between `tasks.running.step_runner`, which runs a step, and `tasks.step`, which the step calls; per thread."""

from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from models.orders import Order


@dataclass(slots=True)
class StepContext:
    """Data that the runner and the running step share.

    order: handed over by the previous step, still under our lease; None if the step has to claim it.
    next_stays_here: whether this step is to keep the lease for the next one when it is done. handed_on: the order, once that was done.
    token, restarts: those of the order that was taken, for use after a failure, because a rollback makes the order itself unreadable.
    A step repeated under our own lease also uses the token for its claim.
    """

    order: Order | None = None
    next_stays_here: bool = False
    handed_on: Order | None = None
    token: UUID | None = None
    restarts: int = 0

    def remember(self, order: Order) -> None:
        """Record that `order` was taken."""
        self.token = order.lease_token
        self.restarts = order.restarts


current: ContextVar[StepContext] = ContextVar("step_context")
