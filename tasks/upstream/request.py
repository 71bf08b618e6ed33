"""What an upstream's requests have in common: their refusal, their time, and their order."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from models.errors import Explained
from models.order_lock import lock_order
from models.orders import Order
from models.rules.timezone import utc


class RequestRefused(Explained):
    """Not possible as things stand; `code` is stable, the message says what to do."""

    def __init__(self, code: str, message: str, **facts: object) -> None:
        super().__init__(message)
        self.code = code
        self.facts = facts


def quote_expired(message: str, expires_at: datetime) -> RequestRefused:
    return RequestRefused("quote-expired", message, expired_at=instant(expires_at))


def instant(moment: datetime) -> str:
    """In the form in which answers give times: RFC 3339, UTC. Raises NaiveDatetime."""
    return f"{utc('moment', moment):%Y-%m-%dT%H:%M:%SZ}"


def business_time(now: datetime) -> datetime:
    """In UTC and whole seconds. Raises NaiveDatetime."""
    return utc("now", now).replace(microsecond=0)


def locked_order(session: Session, order_id: UUID) -> Order:
    """The order with its lines, locked. Raises RequestRefused: unknown-order."""
    order = lock_order(session, order_id, with_lines=True)
    if order is None:
        raise RequestRefused("unknown-order", "There is no such order.")
    return order
