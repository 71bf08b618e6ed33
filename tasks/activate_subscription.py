"""Activate what was bought, all of it or nothing: subscription, new period, balance, in one transaction."""

from contextlib import nullcontext
from uuid import UUID

from sqlalchemy.orm import Session

from models import lease, ledger, order_cache, timeline
from models.activation import CannotActivate, activate
from models.ledger import Cause, MovementKind
from models.orders import Order
from models.states import Step
from models.timeline_kinds import Kind
from tasks import cancellation
from tasks.billing import invoicing
from tasks.failure_points import reach
from tasks.running.outcome import Outcome
from tasks.step import done, step, take, turn_back
from tasks.vat import vat_follow_up
from tasks.wiring import carry

THIS = Step.ACTIVATE_SUBSCRIPTION


@step
def activate_subscription(order_id: UUID) -> Outcome:
    """Instant access and a new billing period from the quote's instant; what can no longer be activated is refunded."""
    with carry() as session:
        order = take(session, order_id, THIS)
        reach("activate_subscription.claimed")
        outcome = _activate(session, order)
        reach("activate_subscription.called")
        return outcome


def _activate(session: Session, order: Order) -> Outcome:
    # A cancellation may have been requested since the previous step; from here on it is too late.
    lease.require_ours(session, order)
    if order.cancel_requested_at is not None:
        return turn_back(session, order, cancellation.reason(session, order))
    lines = order_cache.lines(session, order)
    try:
        # A single line that cannot be activated has written nothing yet, so it needs no savepoint.
        with session.begin_nested() if len(lines) > 1 else nullcontext():
            activate(session, order, lines)
    except CannotActivate as error:
        timeline.note(session, order.id, Kind.ACTIVATION_FAILED, {"reason": error.code})
        return turn_back(session, order, error.code)
    if order.to_balance_minor:
        ledger.post_for(session, order, MovementKind.CREDITED, order.to_balance_minor, cause=Cause.CREDIT, step=THIS)
    invoicing.issue(session, order, lines)
    vat_follow_up.watch(session, order)
    return done(session, order)
