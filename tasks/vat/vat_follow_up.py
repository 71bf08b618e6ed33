"""Follows up VAT numbers after an outage of the registry: asks until it answers, then confirms or corrects the order, once.

Each such order has one row. The time of its next question is set before the question is asked, so after a crash it is only
asked again. The answer is acted on under the order's lock, and only while the row has no outcome yet. An answer that gives back VAT which the
customer's bank has is kept with the row until the bank has decided, and the registry is not asked again.
"""

import time
from collections.abc import Iterable, Sequence
from uuid import UUID

import structlog
from celery import shared_task
from sqlalchemy import and_, delete, not_, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models import order_cache, timeline
from models.account_lock import lock_account
from models.accounts import Account, VatCheck, VatCheckStatus
from models.orders import Order, OrderedProduct
from models.sold_to import sold_to
from models.states import FINAL, LetterKind, OrderStatus
from models.timeline_kinds import Kind
from models.vat_follow_ups import FollowUpOutcome, FollowUpReason, VatFollowUp
from tasks.errors import NO_DATABASE, Misconfigured, NotAsked, NumberRejected, OutcomeUnknown, TemporarilyUnavailable
from tasks.failure_points import reach
from tasks.mail import mailing
from tasks.mail.unanswered import MayHaveArrived
from tasks.ports import VatAnswer, VatStatus
from tasks.vat import due_times, unsent_letters, vat_at_bank, vat_check, vat_correction
from tasks.vat.vat_at_bank import Taken
from tasks.wiring import begin, now, policy, vat_registry

log = structlog.get_logger(__name__)

BATCH = 50
LONGEST_RUN = 60.0
"""seconds after which a run takes no further row: the last may take as long as a mail server does for a letter, and the next run comes soon"""
_CORRECTED = (FollowUpOutcome.VAT_CHARGED, FollowUpOutcome.VAT_CREDITED)


@shared_task(name="vat_follow_up", ignore_result=True, throws=NO_DATABASE)
def vat_follow_up() -> int:
    """Ask about the numbers that are due, correct orders where needed, send the letters owed; returns how many rows it worked on.

    After a question without an answer the others of that country wait for the next run, and after `LONGEST_RUN` all that is left.
    """
    worked_on = 0
    unasked: set[str] = set()
    until = time.monotonic() + LONGEST_RUN
    while worked_on < BATCH and time.monotonic() < until and (due := _next(unasked)) is not None:
        worked_on += 1
        try:
            if due.outcome is None:
                unasked |= _settle(due)
            _tell(due.order_id)
        except NO_DATABASE:
            raise
        except Exception:  # one that cannot be handled must not stop those behind it
            log.exception("vat follow-up cannot be handled", order_id=str(due.order_id))
    return worked_on


def _settle(due: VatFollowUp) -> set[str]:
    """Act on the registry's answer. Returns how numbers begin that are better not asked about for now: with "" none is."""
    try:
        answer = _ask(due.number) if due.vat_check_id is None else None
    except Misconfigured as error:
        log.error("vat number cannot be asked about", order_id=str(due.order_id), error=str(error))
        if isinstance(error, NumberRejected):
            return set()
        _not_tried(due.order_id)
        return {""}  # as all the others would be refused
    with begin() as session:
        _act_on(session, due.order_id, answer)
    is_away = answer is not None and answer.status is VatStatus.UNAVAILABLE
    return {due.number[:2]} if is_away else set()


def _ask(number: str) -> VatAnswer:
    answer = vat_registry().check(number, requester=policy().seller.requester)
    reach("vat_follow_up.answered")
    return answer


def watch(session: Session, order: Order) -> None:
    """Schedule a question to the registry about this order's number, if needed; call it in the transaction that activates the order."""
    if not order.vat_provisional and not order.vat_set_aside:
        return
    number = order.vat_number or _number_set_aside(session, order)
    if number is None:
        return
    reason = FollowUpReason.PROVISIONAL if order.vat_provisional else FollowUpReason.SET_ASIDE
    row = {"order_id": order.id, "number": number, "reason": reason, "tries": 0, "next_at": now() + due_times.WAITS[0]}
    session.execute(upsert(VatFollowUp).values(**row, letter_owed=False).on_conflict_do_nothing())


def _number_set_aside(session: Session, order: Order) -> str | None:
    given = sold_to(order, session.get_one(Account, order.account_id))
    return given.vat(seller_country=policy().seller.country, at=order.as_of).number


def _next(unasked: Iterable[str]) -> VatFollowUp | None:
    """Take a row that is due, and set its next time; no question about a number that begins with one of `unasked`."""
    is_question = and_(VatFollowUp.outcome.is_(None), VatFollowUp.vat_check_id.is_(None))
    with begin() as session:
        query = select(VatFollowUp).where(
            or_(VatFollowUp.outcome.is_(None), VatFollowUp.letter_owed),
            VatFollowUp.next_at <= now(),
            *(not_(and_(is_question, VatFollowUp.number.startswith(country))) for country in unasked),
        )
        row = session.scalar(query.order_by(VatFollowUp.next_at).limit(1).with_for_update(skip_locked=True))
        if row is not None:
            row.tries += 1
            wait = due_times.after_letter if row.letter_owed else due_times.after_question
            row.next_at = now() + wait(row.tries)
        return row


def _not_tried(order_id: UUID) -> None:
    """Nothing was wrong with this row: it is due again soon."""
    with begin() as session:
        again = {"tries": VatFollowUp.tries - 1, "next_at": now() + due_times.WAITS[0]}
        session.execute(update(VatFollowUp).where(VatFollowUp.order_id == order_id).values(again))


def _act_on(session: Session, order_id: UUID, answer: VatAnswer | None) -> None:
    """Act on the registry's answer, once; on the first, if one is kept with the row. Nothing is corrected in an outage, while this order has not ended, or while another claims its products.

    An order that is active but whose letters wait claims its products itself. That claim must stay: only orders that have ended may come to
    `_hold_products`, which cannot tell it from another order's and would release it.
    """
    row = session.scalar(
        select(VatFollowUp)
        .where(VatFollowUp.order_id == order_id, VatFollowUp.outcome.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    order = session.get_one(Order, order_id, with_for_update=True, populate_existing=True)
    if row is None:
        return
    check = _evidence(session, row, order, answer)
    lock_account(session, order.account_id)
    if order.status not in FINAL or check is None or check.status is VatCheckStatus.UNAVAILABLE:
        return
    is_valid = check.status is VatCheckStatus.VALID
    taken = vat_at_bank.taken_back(session, order) if _is_to_be_credited(order, row, valid=is_valid) else ()
    if vat_at_bank.is_by_bank(taken):
        _withhold(session, order, row, check)
    if not vat_at_bank.is_decided(taken) or not _hold_products(session, order):
        return
    outcome = FollowUpOutcome.CONFIRMED if taken else _correct(session, order, row, valid=is_valid)
    row.outcome, row.settled_at, row.vat_check_id = outcome, now(), check.id
    if outcome in _CORRECTED:
        unsent_letters.owe(row)
    order.vat_provisional = False
    if row.reason is FollowUpReason.PROVISIONAL:
        order.vat_check_id = check.id
    session.flush()
    session.execute(delete(OrderedProduct).where(OrderedProduct.order_id == order.id))
    facts = {"answer": check.status.value, "outcome": outcome.value, **_left_to_a_person(session, order, taken)}
    timeline.note(session, order.id, Kind.VAT_FOLLOWED_UP, facts)
    if taken:
        vat_correction.take_off(session, order)
    log.info("vat follow-up", order_id=str(order.id), answer=check.status.value, outcome=outcome.value)


def _evidence(session: Session, row: VatFollowUp, order: Order, answer: VatAnswer | None) -> VatCheck | None:
    asked = vat_check.keep(session, order, answer) if answer is not None else None
    return asked if row.vat_check_id is None else session.get_one(VatCheck, row.vat_check_id)


def _correct(session: Session, order: Order, row: VatFollowUp, *, valid: bool) -> FollowUpOutcome:
    if order.status is not OrderStatus.COMPLETED:
        return FollowUpOutcome.ORDER_ENDED
    if row.reason is FollowUpReason.PROVISIONAL and not valid:
        charged = vat_correction.charge_vat(session, order) is not None
        return FollowUpOutcome.VAT_CHARGED if charged else FollowUpOutcome.CONFIRMED
    if _is_to_be_credited(order, row, valid=valid):
        credited = vat_correction.credit_vat(session, order, row.number) is not None
        return FollowUpOutcome.VAT_CREDITED if credited else FollowUpOutcome.CONFIRMED
    return FollowUpOutcome.CONFIRMED


def _is_to_be_credited(order: Order, row: VatFollowUp, *, valid: bool) -> bool:
    return order.status is OrderStatus.COMPLETED and row.reason is FollowUpReason.SET_ASIDE and valid


def _withhold(session: Session, order: Order, row: VatFollowUp, check: VatCheck) -> None:
    """The customer's bank has the VAT with the rest of what paid for the order, so it does not become balance as well. The number may have ceased by the time the dispute is won, so this answer is kept."""
    row.vat_check_id = check.id
    if timeline.note_once(session, order.id, Kind.VAT_CREDIT_WITHHELD, {}):
        log.error("VAT is not credited: the customer's bank has taken the charge back", order_id=str(order.id))


def _left_to_a_person(session: Session, order: Order, taken: Sequence[Taken]) -> dict[str, int]:
    """VAT that the customer is owed still, as a lost dispute or the provider's dashboard gave less back. A credit note is for all of it or none, so the rest does not become balance."""
    owed = vat_at_bank.vat_owed_minor(session, order, taken) if taken else 0
    if not owed:
        return {}
    log.error("VAT is owed: the customer has less than that back", order_id=str(order.id), owed_minor=owed)
    return {"owed_minor": owed}


def _hold_products(session: Session, order: Order) -> bool:
    """Keep other orders off its products until this transaction ends: they would prorate by a tax that is being corrected."""
    codes = sorted(line.product_code for line in order_cache.lines(session, order))
    rows = [{"account_id": order.account_id, "product_code": code, "order_id": order.id} for code in codes]
    held = session.scalars(
        upsert(OrderedProduct).on_conflict_do_nothing().returning(OrderedProduct.product_code), rows
    ).all()
    if len(held) == len(codes):
        return True
    session.execute(delete(OrderedProduct).where(OrderedProduct.order_id == order.id))
    return False


def _tell(order_id: UUID) -> None:
    """Send the letter that is owed; one that cannot be sent now is tried again when the row is next due, a few times; one that may have arrived is not.

    No letter is owed for an order that has been refunded meanwhile: its sums would be out of date, and the refund notice brings the last
    document.
    """
    with begin() as session:
        row = session.get_one(VatFollowUp, order_id)
        order = session.get_one(Order, order_id)
        if row.letter_owed and order.status is not OrderStatus.COMPLETED:
            row.letter_owed = False
    if not row.letter_owed:
        return
    try:
        mailing.deliver(order, [LetterKind.VAT_CORRECTION])
    except NotAsked:
        _not_tried(order_id)
        return
    except TemporarilyUnavailable as error:
        log.warning("vat letter postponed", order_id=str(order_id), error=str(error))
        if not isinstance(error, OutcomeUnknown):  # of which `unanswered` takes account
            unsent_letters.note(order, str(error))
        return
    except MayHaveArrived:
        log.error("vat letter may have arrived, and is not sent again", order_id=str(order_id))
    except Misconfigured as error:  # it may be refused for this recipient only
        log.error("vat letter is not sent", order_id=str(order_id), error=str(error))
        unsent_letters.note(order, str(error))
        return
    except NO_DATABASE:
        raise
    except Exception as error:
        unsent_letters.note(order, type(error).__name__)
        raise
    with begin() as session:
        unsent_letters.no_longer_owed(session, order_id)
