"""A quote becomes an order in one statement: order, lines, outbox, claim on the products and the timeline's first entry, or nothing.

The order's data is already in the database, so the statement copies it there. An upstream waits for the answer, hence one
round trip instead of nine, and SQL that is built once (measured in docs/performance-history.md).
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from models.base import uuid7
from models.lease import GRACE
from models.orders import Order, OrderedProduct, PricedLine, Totals
from models.prepared import Prepared
from models.states import FORWARD, OrderStatus
from models.timeline_kinds import Kind

_TOTALS = ", ".join(Totals.__annotations__)
_LINE = ", ".join(PricedLine.__annotations__)

_PLACE = Prepared[UUID, int, UUID, datetime, list[str]](
    text(f"""
    WITH offered AS (
        SELECT * FROM quotes WHERE id = :quote_id AND account_id = :account_id AND expires_at > :now
    ),
    placed AS (
        INSERT INTO orders (
            id, quote_id, account_id, contact_id, language, api_key_id, idempotency_key, request_digest,
            status, next_step, wake_at, revision, attempts, restarts, vat_provisional, {_TOTALS}
        )
        SELECT
            :order_id, id, account_id, contact_id, (SELECT language FROM accounts WHERE id = :account_id),
            :api_key_id, :idempotency_key, :request_digest,
            '{OrderStatus.OPEN}', '{FORWARD[0]}', clock_timestamp() + :wake_in, 1, 0, 0, false, {_TOTALS}
        FROM offered
        ON CONFLICT DO NOTHING
        RETURNING id, number, account_id, created_at
    ),
    held AS (
        INSERT INTO ordered_products (account_id, product_code, order_id)
        SELECT account_id, product_code, id FROM placed, quote_lines WHERE quote_id = :quote_id ORDER BY product_code
        ON CONFLICT DO NOTHING
        RETURNING product_code
    ),
    taken AS (
        SELECT product_code FROM quote_lines WHERE quote_id = :quote_id EXCEPT SELECT product_code FROM held
    ),
    whole AS (SELECT id FROM placed WHERE NOT EXISTS (SELECT FROM taken)),
    lines AS (
        INSERT INTO order_lines (order_id, {_LINE}) SELECT id, {_LINE} FROM whole, quote_lines WHERE quote_id = :quote_id
    ),
    sent AS (INSERT INTO outbox (order_id, step) SELECT id, '{FORWARD[0]}' FROM whole),
    noted AS (
        INSERT INTO order_events (order_id, kind, facts)
        SELECT whole.id, '{Kind.ORDER_PLACED}', jsonb_build_object('quote_id', offered.id, 'due_minor', due_minor)
        FROM whole, offered
    )
    SELECT id, number, account_id, created_at, ARRAY(SELECT product_code FROM taken ORDER BY 1) FROM placed
""")  # noqa: S608 - put together from constants
)


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """What an upstream is told about its new order."""

    id: UUID
    number: int
    account_id: UUID
    created_at: datetime


class ProductsTaken(Exception):
    """Other open orders claim some of the products; nothing was placed."""

    def __init__(self, products: list[str]) -> None:
        super().__init__(", ".join(products))
        self.products = products


def insert_order(
    session: Session,
    *,
    quote_id: UUID,
    account_id: UUID,
    now: datetime,
    idempotency_key: str,
    request_digest: str,
    api_key_id: UUID | None,
) -> PlacedOrder | None:
    """None if the account has no such quote that is valid at `now`, or if an order already uses the quote or the key. Raises ProductsTaken."""
    params = {
        "order_id": uuid7(),
        "quote_id": quote_id,
        "account_id": account_id,
        "now": now,
        "idempotency_key": idempotency_key,
        "request_digest": request_digest,
        "api_key_id": api_key_id,
        "wake_in": GRACE,
    }
    row = _PLACE.one_or_none(session, params)
    if row is None:
        return None
    id_, number, of, created_at, taken = row
    placed = PlacedOrder(id_, number, of, created_at)
    if taken:  # so that a refused order leaves nothing behind, even if the caller commits
        session.execute(delete(OrderedProduct).where(OrderedProduct.order_id == placed.id))
        session.execute(delete(Order).where(Order.id == placed.id))
        raise ProductsTaken(taken)
    return placed
