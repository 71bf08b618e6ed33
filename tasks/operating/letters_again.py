"""Send a letter of an order that has ended once more, for an operator: it bounced later, was refused, or never came.

The timeline says so before the mail server is asked, and the server is asked once: whoever repeats the command sends another letter.
"""

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models import order_cache, timeline
from models.accounts import Contact
from models.messages import SentLetter
from models.order_lock import lock_order
from models.orders import Order, OrderEvent
from models.rules.cart import SubscriptionStatus
from models.states import FINAL, LetterKind, LetterStatus, OrderStatus
from models.timeline_kinds import Kind
from tasks.billing import invoicing
from tasks.errors import (
    NO_DATABASE,
    Misconfigured,
    NotRecorded,
    OutcomeUnknown,
    Refused,
    TemporarilyUnavailable,
    behind_a_lock,
)
from tasks.letters.compose import message_id
from tasks.mail import still_true
from tasks.mail.writing import written
from tasks.operating.order_at_hand import NotPossible, locked
from tasks.ports import Letter
from tasks.refunds import parked_notices
from tasks.vat import unsent_letters
from tasks.wiring import begin, mailer, now, outside, policy


def send_again(
    order_id: UUID, kind: LetterKind | None, *, by: str, why: str | None, to_contact: UUID | None = None
) -> LetterKind:
    """Send the letter, under a Message-ID of its own. Returns its kind.

    kind: None for the only one, or the only one that did not go out.
    to_contact: another billing contact of the account; None for the order's own contact.
    Raises NotPossible, also if the server refuses it or gives no answer; TemporarilyUnavailable, Misconfigured: it was not sent;
    NotRecorded: what came of it is known, and not in the timeline.
    """
    with begin() as session:
        order = _ended(session, order_id)
        to = _recipient(session, order, to_contact)
        kind = _which(session, order, kind)
        letter = replace(written(session, order, kind, to=to), message_id=_another_id(session, order, kind))
        said = {"kind": kind.value, "message_id": letter.message_id, "by": by, **({"why": why} if why else {})}
        if to_contact is not None:
            said["contact_id"] = str(to_contact)
        timeline.note(session, order_id, Kind.LETTER_SEND_AGAIN, said)
        is_owed = kind is LetterKind.VAT_CORRECTION and unsent_letters.no_longer_owed(session, order_id)
    _send(order, kind, letter, is_owed=is_owed)
    return kind


def _ended(session: Session, order_id: UUID) -> Order:
    order = locked(session, order_id)
    if order.status not in FINAL:
        resume = f": `prorata orders resume {order.number}`" if order.status is OrderStatus.NEEDS_ATTENTION else ""
        raise NotPossible(f"order {order.number} is {order.status}: its letters are sent when it goes on{resume}")
    return order


def _recipient(session: Session, order: Order, contact_id: UUID | None) -> Contact:
    """Raises NotPossible."""
    if contact_id is None:
        contact = session.get_one(Contact, order.contact_id)
        if contact.erased_at is not None:
            raise NotPossible(
                f"the contact of order {order.number} was erased, so there is nobody to write to: "
                "`--to-contact ID` names another one of the account"
            )
        return contact
    other = session.get(Contact, contact_id)
    if other is None or other.account_id != order.account_id or not other.is_billing_contact:
        raise NotPossible(
            f"{contact_id} is no billing contact of the account of order {order.number}: "
            "`prorata people show EMAIL` shows the ids of a person's contacts"
        )
    return other


def _which(session: Session, order: Order, kind: LetterKind | None) -> LetterKind:
    rows = session.scalars(select(SentLetter).where(SentLetter.order_id == order.id).order_by(SentLetter.created_at))
    letters = {letter.kind: letter.status for letter in rows}
    listed = ", ".join(letters)
    if not letters:
        raise NotPossible(f"order {order.number} has no letter to send again")
    is_true = [each for each in letters if _says(each, order.status)]
    if kind is None and not is_true:
        raise NotPossible(f"order {order.number} is {order.status}, which none of its letters says: {listed}")
    if kind is None:
        failed = [each for each in is_true if letters[each] is not LetterStatus.SENT]
        kind, *others = failed or is_true
        if others:
            raise NotPossible(f"order {order.number} has several letters, name one with --kind: {listed}")
    if kind not in letters:
        raise NotPossible(f"order {order.number} has no {kind} to send again; it has: {listed}")
    if kind not in is_true:
        raise NotPossible(f"order {order.number} is {order.status}, which its {kind} does not say")
    if why := _why_not(session, order, kind):
        raise NotPossible(why)
    return kind


def _why_not(session: Session, order: Order, kind: LetterKind) -> str | None:
    """Why a letter that the order has, and whose kind goes with how it ended, is not to be sent all the same."""
    match kind:
        case LetterKind.CONFIRMATION:
            return _why_replaced(session, order)
        case LetterKind.REFUND_NOTICE:  # it says what the customer's bank returns, and what went to the card
            return parked_notices.why_untrue(session, order)
        case LetterKind.TRIAL_WELCOME if not still_true.trials(session, order):
            return _why_over(session, order)
        case LetterKind.SEAT_PROMPT if not still_true.seats_to_assign(session, order):
            return f"order {order.number} has no seats to assign any more"
        case LetterKind.VAT_CORRECTION if unsent_letters.is_under_way(session, order.id):
            return f"the {kind} of order {order.number} is just being sent by itself: `prorata orders show {order.number}` says what comes of it"
    return None


def _says(kind: LetterKind, ended: OrderStatus) -> bool:
    """Whether a letter of that kind is still true of an order that ended so."""
    return ended is OrderStatus.COMPLETED or kind is LetterKind.REFUND_NOTICE


def _why_replaced(session: Session, order: Order) -> str | None:
    """The confirmation would bring, and have paid, an invoice that a correction has taken back."""
    in_force = invoicing.document_in_force(session, order)
    if in_force is None or in_force.corrects_number is None:
        return None
    return (
        f"{in_force.corrects_number}, which the {LetterKind.CONFIRMATION} of order {order.number} brings, "
        f"was replaced by {in_force.number}; its {LetterKind.VAT_CORRECTION} says that"
    )


def _why_over(session: Session, order: Order) -> str:
    """The welcome says that a trial runs and costs nothing, and none does."""
    statuses = {held.status_at(now()) for held in order_cache.subscriptions(session, order).values()}
    ended = SubscriptionStatus.TRIAL_ENDED in statuses
    return f"the trial of order {order.number} {'has ended' if ended else 'was subscribed since'}"


def _another_id(session: Session, order: Order, kind: LetterKind) -> str:
    before = (
        OrderEvent.order_id == order.id,
        OrderEvent.kind == Kind.LETTER_SEND_AGAIN,
        OrderEvent.facts.contains({"kind": kind}),
    )
    times = session.scalar(select(func.count()).where(*before)) or 0
    return message_id(order.id, kind, policy().seller.mail_domain, again=times + 1)


def _send(order: Order, kind: LetterKind, letter: Letter, *, is_owed: bool) -> None:
    """is_owed: it is to be sent by itself if it certainly does not go out now."""
    told = {"kind": kind.value, "message_id": letter.message_id}
    try:
        with outside():
            mailer().send(letter)
    except KeyboardInterrupt as stopped:
        said = f"the mail server may have taken the {kind}, so ask the customer before you send it again"
        _record(order, Kind.LETTER_UNANSWERED, told | {"error": "interrupted while the mail server was asked"}, said)
        stopped.add_note(f"{_sentence(said)}.")
        raise
    except OutcomeUnknown as lost:
        said = f"the mail server did not answer whether it takes the {kind}: it may have arrived, so ask the customer first"
        _record(order, Kind.LETTER_UNANSWERED, told | {"error": str(lost)}, said)
        raise NotPossible(said) from lost
    except Refused as refused:
        said = f"the {kind} is undeliverable: {refused} ({refused.code})"
        _record(order, f"letter.{LetterStatus.UNDELIVERABLE}", told | {"code": refused.code}, said)
        raise NotPossible(said) from refused
    except (TemporarilyUnavailable, Misconfigured) as error:
        said = f"the {kind} was not sent: {error}"
        _record(order, Kind.LETTER_NOT_SENT, told | {"error": str(error)}, said, owe_again=is_owed)
        raise
    taken = f"the mail server has taken the {kind}: do not send it again"
    _record(order, f"letter.{LetterStatus.SENT}", told, taken, sent=kind)


def _record(
    order: Order,
    event: str,
    facts: dict[str, Any],
    said: str,
    *,
    sent: LetterKind | None = None,
    owe_again: bool = False,
) -> None:
    """Write down what came of it; `said` tells that to people. Raises NotRecorded.

    sent: the letter to mark. owe_again: it is a letter about VAT that is to be sent by itself.
    """
    try:
        try:
            _note(order, event, facts, sent, owe_again=owe_again)
        except NO_DATABASE:  # the connection may have broken while the mail server was asked
            _note(order, event, facts, sent, owe_again=owe_again)
    except NO_DATABASE as error:
        why = "other transactions hold the order" if behind_a_lock(error) else "the database did not answer"
        raise NotRecorded(f"{_sentence(said)}. The timeline of order {order.number} lacks that: {why}.") from error
    except KeyboardInterrupt as stopped:
        stopped.add_note(f"{_sentence(said)}. The timeline of order {order.number} may lack that.")
        raise


def _sentence(said: str) -> str:
    return f"{said[0].upper()}{said[1:]}"


def _note(order: Order, event: str, facts: dict[str, Any], sent: LetterKind | None, *, owe_again: bool) -> None:
    with begin() as session:
        lock_order(session, order.id)
        if sent is not None:
            mark = update(SentLetter).where(SentLetter.order_id == order.id, SentLetter.kind == sent)
            session.execute(mark.values(status=LetterStatus.SENT, sent_at=func.clock_timestamp()))
        timeline.note(session, order.id, event, facts)
        if facts["kind"] == LetterKind.VAT_CORRECTION and event == f"letter.{LetterStatus.UNDELIVERABLE}":
            unsent_letters.mark_undeliverable(session, order.id)
        if owe_again:
            unsent_letters.owe_again(session, order.id)
