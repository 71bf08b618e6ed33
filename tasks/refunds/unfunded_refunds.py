"""Records refunds that the provider does not send until a person tops up our account there, once each on the order's timeline, by their id.

They count as made all the same, as other pending refunds do: the provider has accepted them, and sends them automatically once it can.
"""

from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from models import timeline
from models.timeline_kinds import Kind
from tasks.ports import Refund, RefundStatus

log = structlog.get_logger(__name__)


def note(session: Session, order_id: UUID, refunds: Sequence[Refund]) -> None:
    """Record those of `refunds` that wait for funds, so that a person tops up. The caller has locked the order's row."""
    for refund in refunds:
        facts = {"refund": refund.ref, "amount_minor": refund.amount_minor}
        if refund.status is RefundStatus.AWAITING_FUNDS and timeline.note_once(
            session, order_id, Kind.REFUND_AWAITING_FUNDS, facts
        ):
            log.error(
                "refund waits until our account at the payment provider is topped up",
                order_id=str(order_id),
                refund=refund.ref,
                amount_minor=refund.amount_minor,
                currency=refund.currency,
            )
