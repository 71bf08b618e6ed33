"""Hands an order's letters to the mail server, each kind once.

The letter's row is inserted before it is sent and marked afterwards. SMTP leaves one window open, between the server's acceptance and our
mark: after a crash there the letter is sent again, under the same Message-ID. So nothing else happens in that window, not even a wait for
a slot (`tasks.slots`), which behind many other threads takes a hundred times as long as the mark; and `marking` outlasts a failover of
PostgreSQL. A lost answer leaves it open, too: `unanswered` limits how often the letter is sent then.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import structlog
from sqlalchemy import Boolean, Uuid, bindparam, text
from sqlalchemy.orm import Session

from models import recording, step_ends
from models.ending import Ending
from models.lease import LeaseLost
from models.orders import Order
from models.prepared import Prepared
from models.states import LetterKind, LetterStatus, OrderStatus
from tasks.errors import NO_DATABASE, OutcomeUnknown, Refused
from tasks.failure_points import reach
from tasks.letters.compose import message_id
from tasks.mail import at_once, marking, unanswered
from tasks.mail.writing import written
from tasks.wiring import begin, begin_alone, mailer, outside, policy

log = structlog.get_logger(__name__)


def deliver(order: Order, kinds: Sequence[LetterKind]) -> None:
    """Send those of `kinds` that were not sent before. A letter refused for good is recorded and does not hold up the others.

    Raises TemporarilyUnavailable, NotAsked, OutcomeUnknown, MayHaveArrived: no letter after the one that failed was sent. Raises LeaseLost.
    """
    for kind in kinds:
        _send(order, kind)


def deliver_last(order: Order) -> bool:
    """Send the seat prompt and complete the order with its mark, in one round trip. False: the caller still has to complete it.

    Raises as `deliver` does.
    """
    return _send(order, LetterKind.SEAT_PROMPT, completes=True)


def _send(order: Order, kind: LetterKind, *, completes: bool = False) -> bool:
    """Send the letter, unless it was sent before, and mark it. Returns whether the order was completed with its mark."""
    with at_once.place():  # before anything is written: without a place nothing was tried
        return _send_now(order, kind, completes=completes)


def _send_now(order: Order, kind: LetterKind, *, completes: bool) -> bool:
    with begin_alone() as session:
        mail_id = begin_letter(session, order, kind)
    if mail_id is None:
        return False
    with begin() as session:  # without locks, so that no invoice number waits for the letter
        letter = replace(written(session, order, kind), message_id=mail_id)
    reach(f"{order.next_step}.calling")
    try:
        with outside():
            mailer().send(letter)
            log.info("email handed over", message_id=letter.message_id)
            completed = completes and complete_with(order, kind)
            if not completed:
                marking.mark(order, kind, LetterStatus.SENT)
            return completed
    except OutcomeUnknown as lost:
        unanswered.note(order, kind, lost)
        raise
    except Refused as refused:
        fields = {"order_id": str(order.id), "kind": kind.value, "code": refused.code}
        log.warning("letter undeliverable", **fields)
        with outside():
            marking.mark(order, kind, LetterStatus.UNDELIVERABLE, code=refused.code)
        return False


def begin_letter(session: Session, order: Order, kind: LetterKind) -> str | None:
    """Insert the letter's row; returns the Message-ID to send it under: that of the first try, even if our domain has changed since.

    None if it was sent before, or another worker has the order.
    """
    mail_id = message_id(order.id, kind, policy().seller.mail_domain)
    ours = {"token": order.lease_token, "step": order.next_step, "unleased": order.lease_token is None}
    row = {"order_id": order.id, "kind": kind.value, "message_id": mail_id}
    ends = step_ends.take_stored(session, order.id)
    if ends is None:
        return _BEGIN.scalar(session, row | ours)
    found = _END_AND_BEGIN.one_or_none(session, row | ends)
    if found is None:
        raise LeaseLost(order.id)
    return found[1]


def complete_with(order: Order, kind: LetterKind) -> bool:
    """Mark the letter and complete its order. False if that may not have been written: the caller then marks only the letter.

    Raises LeaseLost; the letter is marked all the same.
    """
    try:
        with begin_alone() as session:
            recording.stop(session, order, Ending(OrderStatus.COMPLETED), letter=kind)
    except NO_DATABASE:
        return False
    except LeaseLost:
        marking.mark(order, kind, LetterStatus.SENT)
        raise
    return True


_BEGUN = """
    INSERT INTO sent_letters (order_id, kind, message_id, contact_id, status, attempts)
    SELECT id, :kind, :message_id, contact_id, 'sending', 1 FROM {orders}
    ON CONFLICT (order_id, kind) DO UPDATE SET attempts = sent_letters.attempts + 1
    WHERE sent_letters.status = 'sending'
    RETURNING message_id
"""
_OURS = """orders
    WHERE id = :order_id AND (:unleased OR (lease_token = :token AND next_step = :step))
    FOR UPDATE"""
_BEGIN = Prepared[str](
    text(_BEGUN.format(orders=_OURS)).bindparams(
        bindparam("order_id", type_=Uuid), bindparam("token", type_=Uuid), bindparam("unleased", type_=Boolean)
    )
)
"""No row where the letter was sent before, or where another worker has the order by now."""
_END_AND_BEGIN = Prepared[UUID, str | None](
    step_ends.typed(f"""
    WITH {step_ends.moved()}, begun AS ({_BEGUN.format(orders="moved")})
    SELECT id, message_id FROM moved LEFT JOIN begun ON true
""")  # noqa: S608 - put together from constants
)
"""The same, with the ends of earlier steps. No message id if the letter was sent before; no row if another worker has the order."""
