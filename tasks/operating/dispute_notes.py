"""Note the disputes of an order's charges as the provider has them now, where its events were missed, or forgotten by a restored database."""

from contextlib import nullcontext
from uuid import UUID

from models.orders import Order
from tasks.charges import charge_attempts, unexpected_money
from tasks.operating import at_provider, order_story
from tasks.operating.order_at_hand import NotPossible, locked
from tasks.ports import Charge, ChargeStatus, Dispute
from tasks.refunds import contested, disputes, fallen_short, parked_notices, refunds_elsewhere
from tasks.wiring import begin, payments


def note_now(order_id: UUID) -> list[Dispute]:
    """Returns the disputes that were not noted, or with another status or amount. Call it outside a transaction.

    Disputed money that the order has no use for is recorded, too: late money of an attempt that was given up, or a second charge of one attempt.

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
        found = contested.whole_if_lost_anew(session, order.id, found)
        new = [dispute for dispute in found if not disputes.is_noted(session, order.id, dispute)]
        attempt = charge_attempts.made_for(session, charge)  # which a restored database may have forgotten
        number = attempt.attempt if attempt is not None else charge.attempt or 0
        with nullcontext() if attempt is None else fallen_short.reported(session, order, attempt):
            disputes.note(session, order.id, number, new, newest=newest)
            took = charge.status is ChargeStatus.SUCCEEDED
            if attempt is not None and took and unexpected_money.is_given_up(order, attempt):
                unexpected_money.record(session, order, attempt, charge)
                refunds_elsewhere.note(session, order.id, attempt.attempt, refunds)
        parked_notices.say_anew(session, order)
    return new
