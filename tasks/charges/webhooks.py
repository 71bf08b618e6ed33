"""The provider's notifications: stored raw, once, before they are processed. To process one, the object itself is fetched from the provider."""

import threading
import time
from datetime import timedelta
from typing import Any

import structlog
from celery import shared_task
from sqlalchemy import ColumnElement, func, or_, select, text, update
from sqlalchemy.orm import Session

from models.messages import WebhookReceived
from models.payments import ChargeAttempt
from models.prepared import Prepared
from tasks.charges import charge_news
from tasks.charges.charge_news import NotFoundYet
from tasks.charges.news_outcome import NewsOutcome
from tasks.charges.unexpected_money import RefundFailed
from tasks.errors import NO_DATABASE, TemporarilyUnavailable, behind_a_lock, told
from tasks.ports import EventKind
from tasks.running import retry_policy
from tasks.wiring import begin, begin_alone, now, payments

log = structlog.get_logger(__name__)


def receive(payload: bytes, signature: str) -> str:
    """Check, store, deduplicate. Returns the event's id. Raises Refused where it is forged, stale or malformed.

    An event without news is stored as handled: most are about a charge whose result we have recorded already.
    """
    event = payments().read_webhook(payload=payload, signature=signature)
    params = {"id": event.id, "type": event.type, "charge_ref": event.charge_ref, "payload": payload, **_nothing_new()}
    with begin_alone() as session:
        _STORE.run(session, params)
    return event.id


_KNOWN = """
    ({event}.type = ANY(:telling_taken) AND EXISTS (
        SELECT FROM charge_attempts JOIN orders ON orders.id = order_id
        WHERE ref = {event}.charge_ref AND charge_attempts.status = 'succeeded' AND orders.status <> 'awaiting_authentication'
        OFFSET 0
    ))
"""
"""`OFFSET 0` has it looked up for each event, by indexes: otherwise PostgreSQL may read all charges instead, if it expects many events."""
_STORE = Prepared[()](
    text(f"""
    WITH event (id, type, charge_ref) AS (VALUES (:id, :type, :charge_ref)),
    looked_up AS MATERIALIZED (SELECT *, {_KNOWN.format(event="event")} AS known FROM event)
    INSERT INTO webhooks_received (id, type, charge_ref, payload, handled_at, outcome)
    SELECT id, type, charge_ref, :payload, CASE WHEN known THEN CAST(:now AS timestamptz) END, CASE WHEN known THEN :outcome END
    FROM looked_up
    ON CONFLICT DO NOTHING
""")  # noqa: S608 - put together from constants
)
_CLOSE_KNOWN = text(f"""
    UPDATE webhooks_received SET handled_at = :now, outcome = :outcome
    WHERE handled_at IS NULL AND id = ANY(ARRAY(
        SELECT id FROM (
            SELECT id, type, charge_ref FROM webhooks_received WHERE handled_at IS NULL
            ORDER BY next_attempt_at NULLS FIRST, received_at LIMIT 1000
        ) AS event WHERE {_KNOWN.format(event="event")}
    ))
    RETURNING id
""")  # noqa: S608
"""Only of those whose turn is next, more than a run takes: however many wait, the others cost nothing until then."""


def _nothing_new() -> dict[str, object]:
    return {"telling_taken": _telling_taken(), "now": now(), "outcome": NewsOutcome.NOTHING_TO_DO.value}


def _telling_taken() -> list[str]:
    """The event types without news about a charge recorded as taken."""
    return [name for name, kind in payments().event_kinds.items() if kind is EventKind.TAKEN]


LONGEST_RUN = 20.0
"""seconds after which a run takes no further event, so that its thread becomes free for orders"""
_one_at_a_time = threading.Lock()
"""one run per process: while the provider does not respond, a run waits until its call times out, and meanwhile beat sends further ones"""


@shared_task(name="handle_webhooks", ignore_result=True, throws=NO_DATABASE)
def handle_webhooks() -> int:
    """Process stored events that are due; returns how many were handled. One that fails is retried with a growing delay.

    First it closes, many in one statement, events without news: they came before we had recorded the provider's own answer.
    """
    until = time.monotonic() + LONGEST_RUN
    handled = 0
    while time.monotonic() < until and (closed := _close_known()):
        handled += closed
    if not _one_at_a_time.acquire(blocking=False):
        return handled
    try:
        while time.monotonic() < until and (event := take_next()) is not None:
            values = _handle(event)
            still = (WebhookReceived.handled_at.is_(None), WebhookReceived.attempts == event.attempts)
            with begin() as session:
                kept = update(WebhookReceived).where(WebhookReceived.id == event.id, *still).values(**values)
                handled += session.scalar(kept.returning(WebhookReceived.handled_at)) is not None
    finally:
        _one_at_a_time.release()
    return handled


def _close_known() -> int:
    """Returns how many were closed."""
    with begin() as session:
        return len(session.execute(_CLOSE_KNOWN, _nothing_new()).all())


def _handle(event: WebhookReceived) -> dict[str, Any]:
    """Handle the event; returns the columns to update in its row."""
    try:
        outcome = _outcome(event)
    except NO_DATABASE as error:
        if not behind_a_lock(error):
            raise
        log.warning("webhook waits", event_id=event.id, error="behind a lock")
        return _again(event.attempts, error)
    except TemporarilyUnavailable as error:
        log.warning("webhook waits", event_id=event.id, error=str(error))
        at_most = timedelta.max if isinstance(error, NotFoundYet) else PROVIDER_AWAY
        return _again(event.attempts, error, at_most=at_most)
    except RefundFailed as error:
        log.warning("webhook waits", event_id=event.id, error=str(error))
        return _again(event.attempts, error)
    except Exception as error:  # one event that cannot be handled must not stop those behind it
        log.exception("webhook cannot be handled", event_id=event.id, **told(error))
        return _again(event.attempts, error)
    return {"handled_at": now(), "outcome": outcome.value, "next_attempt_at": None}


def _outcome(event: WebhookReceived) -> NewsOutcome:
    if event.charge_ref is None:
        return NewsOutcome.NOT_ABOUT_A_CHARGE
    kind = payments().event_kinds.get(event.type, EventKind.OTHER)
    return charge_news.handle(event.charge_ref, kind=kind)


OWN_ANSWER = timedelta(seconds=3)
"""how long to wait with an event about an unknown charge: usually a step is just about to record the provider's own answer"""
_its_charge = select(ChargeAttempt.ref).where(ChargeAttempt.ref == WebhookReceived.charge_ref).offset(0)  # see `_KNOWN`
_of_known_charge = or_(WebhookReceived.charge_ref.is_(None), _its_charge.exists())
_TELLS_SOMETHING = text(f"NOT {_KNOWN.format(event='webhooks_received')}")
"""Under load, the answers for most events are recorded while a run is on. These are left to the next run, which closes them without asking."""


TAKEN_FOR = timedelta(seconds=60)
"""how long an event belongs to the run that took it: longer than its calls take. If that process dies, another run takes it afterwards"""


def take_next() -> WebhookReceived | None:
    """Take an event that is due, and set its next time. Events never tried come first, so that failing ones do not hold them up."""
    at = now()
    with begin() as session:
        event = _first(session, WebhookReceived.next_attempt_at.is_(None))
        if event is None:
            event = _first(session, WebhookReceived.next_attempt_at <= at)
        if event is not None:
            event.next_attempt_at = at + TAKEN_FOR
        return event


def _first(session: Session, whose_turn: ColumnElement[bool]) -> WebhookReceived | None:
    """Locked. Read from the beginning of the index, so that it costs no more the more wait."""
    return session.scalar(
        select(WebhookReceived)
        .where(
            WebhookReceived.handled_at.is_(None),
            whose_turn,
            _TELLS_SOMETHING.bindparams(telling_taken=_telling_taken()),
            or_(WebhookReceived.received_at <= func.clock_timestamp() - OWN_ANSWER, _of_known_charge),
        )
        .order_by(WebhookReceived.next_attempt_at.nulls_first(), WebhookReceived.received_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


PROVIDER_AWAY = timedelta(seconds=60)
"""longest delay before an event is retried when the provider could not be asked, because nothing is wrong with the event itself"""


def _again(attempts: int, error: Exception, *, at_most: timedelta = timedelta.max) -> dict[str, Any]:
    return {
        "attempts": attempts + 1,
        "next_attempt_at": now() + min(retry_policy.event_delay(attempts), at_most),
        "outcome": f"failed: {type(error).__name__}: {error}"[:200],
    }
