"""Marks a letter that the mail server has taken or refused; one that stays unmarked is sent again."""

from time import monotonic, sleep
from typing import Final

import structlog
from sqlalchemy import String, Uuid, bindparam, text

from models.orders import Order
from models.prepared import Prepared
from models.states import LetterKind, LetterStatus
from tasks.errors import NO_DATABASE
from tasks.wiring import begin_alone

log = structlog.get_logger(__name__)

PATIENCE: Final = 60.0
"""seconds after which no further try begins: a failover of PostgreSQL takes 10 to 60; nobody waits for this thread longer, as where a worker is to end"""
PAUSE: Final = 1.0
"""seconds between two tries; the order's lease is over by then, and we must come before who takes it next"""


def mark(order: Order, kind: LetterKind, status: LetterStatus, *, code: str | None = None) -> None:
    """Mark the letter, whether or not the order is still ours; where the database is away, as soon as it is back.

    Call it without a slot. Raises what the last try does once `PATIENCE` is over.
    """
    until = monotonic() + PATIENCE
    parameters = {
        "order_id": order.id,
        "kind": kind.value,
        "status": status.value,
        "event": f"letter.{status}",
        "code": code,
    }
    while True:
        try:
            with begin_alone() as session:
                return _MARK.run(session, parameters)
        except NO_DATABASE as error:
            if monotonic() >= until:
                raise
            log.warning("letter is marked later", order_id=str(order.id), kind=kind.value, error=type(error).__name__)
        sleep(PAUSE)


_MARK = Prepared[()](
    text("""
    WITH held AS (SELECT id FROM orders WHERE id = :order_id FOR NO KEY UPDATE),
    marked AS (
        UPDATE sent_letters SET status = :status, sent_at = clock_timestamp()
        WHERE order_id = :order_id AND kind = :kind AND status = 'sending' AND EXISTS (SELECT FROM held)
        RETURNING kind
    )
    INSERT INTO order_events (order_id, kind, facts)
    SELECT :order_id, :event, jsonb_strip_nulls(jsonb_build_object('kind', kind, 'code', :code)) FROM marked
""").bindparams(bindparam("order_id", type_=Uuid), bindparam("code", type_=String))
)
"""Runs whether or not our lease still holds. The order's row is locked first, as for every timeline entry (`timeline.note`): the foreign
key's own lock would come only after the entry's id was drawn, and would mostly have to wait for the same transactions anyway."""
