"""A letter about VAT that could not be sent: each try is noted, and after the last a person has to act.

Until then a person may send it, too, but not while a try is under way.
"""

from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from models import timeline
from models.messages import SentLetter
from models.order_lock import lock_order
from models.orders import Order, OrderEvent
from models.states import LetterKind, LetterStatus
from models.timeline_kinds import Kind
from models.vat_follow_ups import VatFollowUp
from tasks.vat import due_times
from tasks.wiring import begin, now

log = structlog.get_logger(__name__)

TRIES = 8
"""after which it counts as undeliverable. They take three and a half days or more: from the sixth on a day passes between two"""
_KIND = LetterKind.VAT_CORRECTION


def owe(row: VatFollowUp) -> None:
    """A correction was made, and the first try of its letter begins."""
    row.letter_owed, row.tries, row.next_at = True, 1, now() + due_times.after_letter(1)


def note(order: Order, said: str) -> None:
    """Note that a try has failed, and why. After the last one the letter counts as undeliverable, and is not owed any more."""
    with begin() as session:
        lock_order(session, order.id)
        if not _is_unsent(session, order.id):  # a person had it sent meanwhile
            return
        tries = _ended(session, order.id) + 1
        timeline.note(session, order.id, Kind.LETTER_NOT_SENT, {"kind": _KIND.value, "tries": tries, "error": said})
        if tries < TRIES:
            return
        mark_undeliverable(session, order.id)
        timeline.note(session, order.id, f"letter.{LetterStatus.UNDELIVERABLE}", {"kind": _KIND.value})
        no_longer_owed(session, order.id)
    log.error("vat letter is given up", order_id=str(order.id), tries=tries)


def mark_undeliverable(session: Session, order_id: UUID) -> None:
    """One that was sent before stays so."""
    given_up = {"status": LetterStatus.UNDELIVERABLE, "sent_at": func.clock_timestamp()}
    session.execute(update(SentLetter).where(*_unsent(order_id)).values(given_up))


def no_longer_owed(session: Session, order_id: UUID) -> bool:
    """Returns whether it was owed. Nor is it while a person has it sent: what comes of that may never be noted; `owe_again` if it is certainly not sent."""
    of_it = (VatFollowUp.order_id == order_id, VatFollowUp.letter_owed)
    ended = update(VatFollowUp).where(*of_it).values(letter_owed=False).returning(VatFollowUp.order_id)
    return session.scalar(ended) is not None


def is_under_way(session: Session, order_id: UUID) -> bool:
    """Whether a letter is owed whose latest try began lately, and has not ended as far as is known."""
    of_it = (VatFollowUp.order_id == order_id, VatFollowUp.letter_owed)
    row = session.scalar(select(VatFollowUp).where(*of_it).execution_options(populate_existing=True))
    if row is None:
        return False
    begun_at = row.next_at - due_times.after_letter(row.tries)
    return now() < begun_at + due_times.under_way() and row.tries > _ended(session, order_id)


def owe_again(session: Session, order_id: UUID) -> None:
    its = VatFollowUp.order_id == order_id
    session.execute(update(VatFollowUp).where(its).values(letter_owed=True, next_at=now() + due_times.under_way()))


def _is_unsent(session: Session, order_id: UUID) -> bool:
    return session.scalar(select(SentLetter.kind).where(*_unsent(order_id))) is not None


def _unsent(order_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return SentLetter.order_id == order_id, SentLetter.kind == _KIND, SentLetter.status == LetterStatus.SENDING


def _ended(session: Session, order_id: UUID) -> int:
    """How many tries are known to have failed, or to have had no answer; not those by a person, which have Message-IDs of their own."""
    noted = OrderEvent.kind.in_((Kind.LETTER_NOT_SENT, Kind.LETTER_UNANSWERED))
    by_itself = (OrderEvent.facts.contains({"kind": _KIND}), ~OrderEvent.facts.has_key("message_id"))
    return session.scalar(select(func.count()).where(OrderEvent.order_id == order_id, noted, *by_itself)) or 0
