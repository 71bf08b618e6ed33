"""Notifications that wait, for an operator: list them, retry one at once, give one up."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.errors import Explained, Unknown
from models.messages import WebhookReceived
from tasks.plain_text import one_line
from tasks.wiring import now

LONGEST = 200
"""maximum length of an outcome, in characters"""


class UnknownWebhook(Unknown):
    """No such notification was received, or it was handled so long ago that it is no longer kept."""


class HandledAlready(Explained):
    """The notification is not waiting; the message says what its outcome was."""


def waiting(session: Session, *, limit: int) -> Sequence[WebhookReceived]:
    """The oldest first."""
    query = select(WebhookReceived).where(WebhookReceived.handled_at.is_(None))
    return session.scalars(query.order_by(WebhookReceived.received_at, WebhookReceived.id).limit(limit)).all()


def retry(session: Session, event_id: str) -> None:
    """Make it due for the next run, whatever its delay. Raises UnknownWebhook, HandledAlready."""
    _change(session, event_id, next_attempt_at=None)


def dismiss(session: Session, event_id: str, *, by: str, why: str) -> None:
    """Give it up for good. Who did so, and why, is stored as its outcome. Raises UnknownWebhook, HandledAlready."""
    outcome = f"dismissed by {one_line(by)}: {one_line(why)}"[:LONGEST]
    _change(session, event_id, handled_at=now(), next_attempt_at=None, outcome=outcome)


def _change(session: Session, event_id: str, **values: object) -> None:
    still_waits = (WebhookReceived.id == event_id, WebhookReceived.handled_at.is_(None))
    changed = update(WebhookReceived).where(*still_waits).values(**values).returning(WebhookReceived.id)
    if session.scalar(changed) is not None:
        return
    event = session.get(WebhookReceived, event_id)
    if event is None:
        raise UnknownWebhook(f"there is no notification {event_id}")
    raise HandledAlready(f"{event_id} does not wait: {event.outcome}")
