"""Note the refunds of an order's charges as the provider has them now, where its events were missed: one that failed after it was accepted, or was made in the dashboard."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from models.orders import OrderEvent
from tasks.charges import charge_news
from tasks.charges.unexpected_money import RefundFailed
from tasks.errors import RefundRefused, StepAgain
from tasks.operating import order_story
from tasks.ports import EventKind
from tasks.wiring import begin


@dataclass(frozen=True, slots=True)
class Noted:
    entries: Sequence[OrderEvent]
    """what is new on the order's timeline"""
    not_done: Sequence[str]
    """why money that the order has no use for was not refunded now, or a charge is to be looked at once more"""


def note_now(order_id: UUID) -> Noted:
    """Do what the events of the refunds would have done, charge by charge. Call it outside a transaction.

    Raises TemporarilyUnavailable, Misconfigured: the provider could not be asked. What was noted until then stays noted.
    """
    about = OrderEvent.order_id == order_id
    with begin() as session:
        charges = [tried.ref for tried in order_story.tell(session, order_id).charges if tried.ref]
        newest = session.scalar(select(func.max(OrderEvent.id)).where(about)) or 0
    not_done = list[str]()
    for ref in charges:
        try:
            charge_news.handle(ref, kind=EventKind.REFUND, why="note-refunds")
        except (RefundFailed, RefundRefused, StepAgain) as error:
            not_done.append(str(error))  # of this charge; what became of the others is noted all the same
    with begin() as session:
        new = select(OrderEvent).where(about, OrderEvent.id > newest).order_by(OrderEvent.id)
        return Noted(session.scalars(new).all(), not_done)
