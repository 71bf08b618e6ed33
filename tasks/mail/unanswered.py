"""Counts how often the mail server took a letter without an answer: it may have arrived each time, so it is not sent again and again."""

from sqlalchemy import func, select

from models import timeline
from models.order_lock import lock_order
from models.orders import Order, OrderEvent
from models.states import LetterKind
from models.timeline_kinds import Kind
from tasks.errors import Misconfigured
from tasks.wiring import begin

AGAIN = 2
"""how often such a letter is sent again before a person decides"""


MAY_HAVE_ARRIVED = "it may have arrived each time"
"""by these words an order's last error is known as one"""


class MayHaveArrived(Misconfigured):
    """A letter was sent as often as it may be, and nobody knows whether it arrived. A person must look."""

    def __init__(self, order: Order, kind: LetterKind, times: int) -> None:
        super().__init__(
            f"the mail server did not answer whether it takes the {kind}, {times} times: {MAY_HAVE_ARRIVED}. "
            f"`prorata orders resume {order.number}` sends it once more, and with --without-letters the order goes on without it"
        )


def note(order: Order, kind: LetterKind, error: Exception) -> None:
    """Note on the timeline that the letter was sent and not answered. Raises MayHaveArrived if it is not to be sent again by itself."""
    unanswered, of_it = OrderEvent.kind == Kind.LETTER_UNANSWERED, OrderEvent.facts.contains({"kind": kind})
    same = (OrderEvent.order_id == order.id, unanswered, of_it)
    with begin() as session:
        lock_order(session, order.id)
        timeline.note(session, order.id, Kind.LETTER_UNANSWERED, {"kind": kind, "error": str(error)})
        times = session.scalar(select(func.count()).where(*same)) or 0
    if times > AGAIN:
        raise MayHaveArrived(order, kind, times) from error
