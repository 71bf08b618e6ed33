"""The provider's notifications: stored raw, once, before anything is made of them; then the object itself is asked for."""

from uuid import UUID

import structlog
from celery import shared_task
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models import progress
from models.messages import WebhookReceived
from models.orders import Order
from models.payments import ChargeAttempt
from models.states import AttemptStatus, OrderStatus, Step
from tasks.errors import Misconfigured, TemporarilyUnavailable
from tasks.ports import Charge, ChargeStatus
from tasks.wiring import begin, now, payments

log = structlog.get_logger()


def receive(payload: bytes, signature: str) -> str:
    """Check, store, deduplicate. Returns the event's id. Raises Refused where it is forged, stale or malformed."""
    event = payments().read_webhook(payload=payload, signature=signature)
    with begin() as session:
        session.execute(
            upsert(WebhookReceived)
            .values(id=event.id, type=event.type, charge_ref=event.charge_ref, payload=payload)
            .on_conflict_do_nothing()
        )
    return event.id


@shared_task(name="handle_webhooks", ignore_result=True)
def handle_webhooks() -> int:
    """Act on what is stored and not handled yet; returns how many. What fails stays and is tried again by the next run."""
    handled = 0
    for event_id, charge_ref in _waiting():
        try:
            outcome = _handle(charge_ref) if charge_ref is not None else "not about a charge"
        except TemporarilyUnavailable as error:
            log.warning("webhook waits", event_id=event_id, error=str(error))
            break
        except Misconfigured as error:
            log.error("webhook cannot be handled", event_id=event_id, error=str(error))
            outcome = f"failed: {error}"[:200]
        with begin() as session:
            values = {"handled_at": now(), "outcome": outcome}
            session.execute(update(WebhookReceived).where(WebhookReceived.id == event_id).values(**values))
        handled += 1
    return handled


def _waiting(limit: int = 100) -> list[tuple[str, str | None]]:
    with begin() as session:
        query = (
            select(WebhookReceived.id, WebhookReceived.charge_ref)
            .where(WebhookReceived.handled_at.is_(None))
            .order_by(WebhookReceived.received_at)
            .limit(limit)
        )
        return [(row[0], row[1]) for row in session.execute(query)]


def _handle(charge_ref: str) -> str:
    charge = payments().retrieve_charge(charge_ref)
    if charge.order_id is None or charge.attempt is None:
        return "not ours"
    with begin() as session:
        return _apply(session, charge, charge.order_id, charge.attempt)


def _apply(session: Session, charge: Charge, order_id: UUID, number: int) -> str:
    """What the charge's state means for its order now; the steps do the rest."""
    order = session.scalar(select(Order).where(Order.id == order_id).with_for_update())
    attempt = session.get(ChargeAttempt, (order_id, number))
    if order is None or attempt is None:
        return "unknown order"
    settled = charge.status in (ChargeStatus.SUCCEEDED, ChargeStatus.DECLINED, ChargeStatus.CANCELED)
    if order.status is OrderStatus.AWAITING_AUTHENTICATION and settled and attempt.ref in (None, charge.ref):
        progress.reopen(
            session,
            order.id,
            waiting_in=(OrderStatus.AWAITING_AUTHENTICATION,),
            step=Step.COLLECT_PAYMENT,
            why="webhook",
        )
        return "reopened"
    if charge.status is ChargeStatus.SUCCEEDED and attempt.status in _OVER:
        return _unexpected(session, order, attempt, charge)
    return "nothing to do"


_OVER = (AttemptStatus.VOID, AttemptStatus.CANCELED, AttemptStatus.DECLINED)


def _unexpected(session: Session, order: Order, attempt: ChargeAttempt, charge: Charge) -> str:
    """Money arrived on an attempt we had given up: a person must look, the order says so."""
    values = {"ref": charge.ref, "settled_at": func.clock_timestamp()}
    where = (ChargeAttempt.order_id == attempt.order_id, ChargeAttempt.attempt == attempt.attempt)
    session.execute(update(ChargeAttempt).where(*where).values(**values))
    progress.note(
        session, order.id, "charge.unexpected", {"attempt": attempt.attempt, "amount_minor": charge.amount_minor}
    )
    progress.park(session, order.id, error=f"charge {charge.ref} succeeded on an attempt that was given up: refund it")
    return "unexpected charge"
