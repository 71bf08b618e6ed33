"""A letter about VAT that could not be sent: each try is noted, and after the last a person has to act.

Until then a person may send it, too, but not while a try is under way.
"""

from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models import timeline
from models.messages import SentLetter
from models.order_lock import lock_order
from models.orders import Order
from models.states import LetterKind, LetterStatus
from models.timeline_kinds import Kind
from models.vat_follow_ups import VatFollowUp
from tasks.wiring import begin, now

log = structlog.get_logger(__name__)

TRIES = 8
"""after which it counts as undeliverable. They take four days or more: from the sixth on a day passes between two"""
UNDER_WAY = timedelta(minutes=20)
"""how long a letter is left alone while it is sent: longer than a mail server may take to accept it (`worker.watchdog`)"""
_KIND = LetterKind.VAT_CORRECTION


def note(order: Order, error: Exception) -> None:
    """Note that a try has failed. After the last one the letter counts as undeliverable, and is not owed any more."""
    with begin() as session:
        lock_order(session, order.id)
        tries = _tries(session, order.id)
        if tries is None:  # a person had it sent meanwhile
            return
        timeline.note(
            session, order.id, Kind.LETTER_NOT_SENT, {"kind": _KIND.value, "tries": tries, "error": str(error)}
        )
        if tries < TRIES:
            return
        its = (SentLetter.order_id == order.id, SentLetter.kind == _KIND)
        given_up = {"status": LetterStatus.UNDELIVERABLE, "sent_at": func.clock_timestamp()}
        session.execute(update(SentLetter).where(*its).values(given_up))
        timeline.note(session, order.id, f"letter.{LetterStatus.UNDELIVERABLE}", {"kind": _KIND.value})
        no_longer_owed(session, order.id)
    log.error("vat letter is given up", order_id=str(order.id), tries=tries)


def no_longer_owed(session: Session, order_id: UUID) -> None:
    session.execute(update(VatFollowUp).where(VatFollowUp.order_id == order_id).values(letter_owed=False))


def is_under_way(session: Session, order_id: UUID) -> bool:
    """Whether a letter is owed whose latest try has not failed, as far as is known."""
    owed = session.scalar(select(VatFollowUp.letter_owed).where(VatFollowUp.order_id == order_id))
    failed = {"kind": _KIND.value, "tries": _tries(session, order_id)}
    return bool(owed) and not timeline.is_noted(session, order_id, Kind.LETTER_NOT_SENT, failed)


def leave_to_a_person(session: Session, order_id: UUID) -> bool:
    """It is not owed while a person has it sent: what comes of that may never be noted. Returns whether it was owed; `owe_again` if it is certainly not sent."""
    of_it = (VatFollowUp.order_id == order_id, VatFollowUp.letter_owed)
    left = update(VatFollowUp).where(*of_it).values(letter_owed=False).returning(VatFollowUp.order_id)
    return session.scalar(left) is not None


def owe_again(session: Session, order_id: UUID) -> None:
    its = VatFollowUp.order_id == order_id
    session.execute(update(VatFollowUp).where(its).values(letter_owed=True, next_at=now() + UNDER_WAY))


def _tries(session: Session, order_id: UUID) -> int | None:
    begun = (SentLetter.order_id == order_id, SentLetter.kind == _KIND, SentLetter.status == LetterStatus.SENDING)
    return session.scalar(select(SentLetter.attempts).where(*begun))
