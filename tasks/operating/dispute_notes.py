"""Note the disputes of an order's charges as the provider has them now, where its events were missed, or forgotten by a restored database."""

from uuid import UUID

from models.orders import Order
from models.payments import ChargeAttempt
from models.states import AttemptStatus
from tasks.charges import charge_attempts, unexpected_money
from tasks.operating import at_provider, order_story
from tasks.operating.order_at_hand import NotPossible, locked
from tasks.ports import Charge, ChargeStatus, Dispute
from tasks.refunds import disputes, refunds_elsewhere
from tasks.wiring import begin, payments


def note_now(order_id: UUID) -> list[Dispute]:
    """Returns the disputes that were not noted, or with another status. Call it outside a transaction.

    A second charge of one attempt is recorded with its first, as money that the order has no use for: only an event would do so otherwise.

    Raises NotPossible if one was noted meanwhile; TemporarilyUnavailable, Misconfigured: the provider could not be asked.
    """
    with begin() as session:
        story = order_story.tell(session, order_id)
    disputed = [charge for charge in at_provider.charges(story, also_unknown=True) if charge.disputed]
    return [dispute for charge in disputed for dispute in note(story.order, charge)]


def note(order: Order, charge: Charge) -> list[Dispute]:
    """`note_now`, of one charge that is disputed."""
    with begin() as session:
        newest = disputes.newest_entry(session, order.id)
    found = payments().find_disputes(charge_ref=charge.ref)
    refunds = payments().find_refunds(charge_ref=charge.ref)
    with begin() as session:
        order = locked(session, order.id)
        if disputes.newest_entry(session, order.id) != newest:  # what we have read may be older
            raise NotPossible(f"a dispute of order {order.number} was noted meanwhile: run this again")
        new = [dispute for dispute in found if not disputes.is_noted(session, order.id, dispute)]
        if new:
            attempt = charge_attempts.made_for(session, charge)  # which a restored database may have forgotten
            number = attempt.attempt if attempt is not None else charge.attempt or 0
            disputes.note(session, order.id, number, new, newest=newest)
            if attempt is not None and _is_second(attempt, charge):
                unexpected_money.record(session, order, attempt, charge)
                refunds_elsewhere.note(session, order.id, attempt.attempt, refunds)
    return new


def _is_second(attempt: ChargeAttempt, charge: Charge) -> bool:
    """Whether the charge has the attempt for itself, as the second one of another attempt has: the order has no use for its money."""
    took = charge.status is ChargeStatus.SUCCEEDED
    return took and attempt.status is AttemptStatus.VOID and attempt.ref == charge.ref
