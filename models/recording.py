"""How a step ends, as `tasks.step` says: the order goes on (`advance`; `hand_on` where the same worker does the next step), turns back, or
stops. One statement moves the order and adds to its timeline.

One round trip instead of two to four, and SQL that is built once (measured in docs/performance-history.md). The step is `next_step`
of the order in hand. Nothing is written unless it is still that step's turn and our lease is on the order.

The transaction is committed asynchronously (synchronous_commit off) unless it contains something that must not be lost. Should
PostgreSQL crash within the next half second, the order is back where it was and the step is done again, as every step may be.
These must not be lost, and are committed synchronously, which also flushes all earlier commits: a placed order, a charge's key, a
letter's beginning and its end, a notification.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Interval, TextClause, Uuid, bindparam, insert, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from models import reservation, step_ends
from models.ending import Ending
from models.lease import GRACE, LeaseLost
from models.messages import OutboxMessage
from models.orders import Order
from models.prepared import Prepared
from models.states import FINAL, LetterKind, Step, steps_from

_NOTED = "noted AS (INSERT INTO order_events (order_id, kind, facts) {before}SELECT id, :kind, :facts FROM moved)"
_IS_OURS = "id = :order_id AND lease_token IS NOT DISTINCT FROM :token AND next_step = :step"
_NEED_NOT_WAIT = "CASE WHEN :need_not_wait THEN set_config('synchronous_commit', 'off', true) END"

CARRIED = "models.recording.carried"
"""Key in a session's `info`: true where several steps share its transaction (`tasks.carrying`). The transaction may then contain
something that must not be lost, and the ends of its steps are written together (`models.step_ends`)."""


def _typed(sql: str) -> TextClause:
    return text(sql).bindparams(
        bindparam("token", type_=Uuid),
        bindparam("facts", type_=JSONB),
        bindparam("need_not_wait", type_=Boolean),
    )


_ADVANCE = Prepared[UUID, str | None](
    _typed(f"""
    WITH moved AS (
        UPDATE orders SET
            next_step = :next_step, attempts = 0, restarts = 0, last_error = NULL,
            lease_token = NULL, lease_until = NULL,
            wake_at = clock_timestamp() + :wake_in
        WHERE {_IS_OURS}
        RETURNING id
    ), {_NOTED.format(before="")}
    SELECT id, {_NEED_NOT_WAIT} FROM moved
""").bindparams(bindparam("wake_in", type_=Interval))  # noqa: S608 - put together from constants
)


def _stopping(*, then: str = "", before: str = "") -> TextClause:
    """then: further CTEs that read `moved`. before: SELECTs of timeline entries to insert before the order's own."""
    return _typed(f"""
    WITH moved AS (
        UPDATE orders SET
            status = :status, reason = :reason, reason_facts = :reason_facts, next_step = NULL, attempts = 0, last_error = NULL,
            lease_token = NULL, lease_until = NULL,
            wake_at = clock_timestamp() + :wake_in,
            finished_at = CASE WHEN :ends THEN clock_timestamp() ELSE finished_at END
        WHERE {_IS_OURS}
        RETURNING id
    ), {then}
    released AS (DELETE FROM ordered_products USING moved WHERE :ends AND order_id = moved.id),
    {_NOTED.format(before=before)}
    SELECT id, {_NEED_NOT_WAIT} FROM moved
""").bindparams(  # noqa: S608 - put together from constants
        bindparam("wake_in", type_=Interval),
        bindparam("reason_facts", type_=JSONB(none_as_null=True)),
        bindparam("ends", type_=Boolean),
    )


_STOP = Prepared[UUID, str | None](_stopping())
_STOP_WITH_LETTER = Prepared[UUID, str | None](
    _stopping(
        then="""marked AS (
        UPDATE sent_letters SET status = 'sent', sent_at = clock_timestamp()
        WHERE order_id = :order_id AND kind = :letter AND status = 'sending' AND EXISTS (SELECT FROM moved)
        RETURNING order_id, kind
    ),""",
        before="SELECT order_id, 'letter.sent', jsonb_build_object('kind', kind) FROM marked UNION ALL ",
    )
)


def advance(
    session: Session,
    order: Order,
    outcome: str,
    *,
    to: Step | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Record that the current step is done, and which one any worker may take next: `to`, or else the one that follows. Raises LeaseLost."""
    step_ends.write(session)
    noted = _noted(session, order, f"{order.next_step}.{outcome}", facts or {})
    params = {**noted, "next_step": (to or _following(order)).value, "wake_in": GRACE}
    if _ADVANCE.one_or_none(session, params) is None:
        raise LeaseLost(order.id)


def hand_on(session: Session, order: Order, *, facts: Mapping[str, Any] | None = None) -> None:
    """Record that the current step is done, and keep our lease, because the same worker runs the one that follows.

    It is written with a later statement, or at the transaction's end, which then raises LeaseLost (`models.step_ends`).
    """
    step_ends.later(session, order, next_step=_following(order), facts=facts or {})


def _following(order: Order) -> Step:
    if order.next_step is None:
        raise AssertionError(f"order {order.id} stands at no step")
    return steps_from(order.next_step)[1]


def turn_back(session: Session, order: Order, reason: str) -> None:
    """The order cannot go forward any more: continue with `refund_payment`, which refunds what was charged. Raises LeaseLost."""
    advance(session, order, "turned_back", to=Step.REFUND_PAYMENT, facts={"reason": reason})
    session.execute(update(Order).where(Order.id == order.id).values(reason=reason))
    session.execute(insert(OutboxMessage).values(order_id=order.id, step=Step.REFUND_PAYMENT))


def stop(
    session: Session,
    order: Order,
    ending: Ending,
    *,
    letter: LetterKind | None = None,
) -> None:
    """End the chain here, as `ending` says, and release the balance reserved for the order if it will not be spent. Raises LeaseLost.

    letter: kind of a letter of this order that has just been sent; it is marked as sent in the same statement. After LeaseLost it is still unmarked.
    """
    step_ends.write(session)
    params = {
        **_noted(session, order, f"order.{ending.status}", ending.noted),
        "status": ending.status.value,
        "reason": ending.reason,
        "reason_facts": ending.stored or None,
        "wake_in": ending.wake_in,
        "ends": ending.status in FINAL,
    }
    if letter is None:
        stopped = _STOP.one_or_none(session, params)
    else:
        stopped = _STOP_WITH_LETTER.one_or_none(session, params | {"letter": letter.value, "need_not_wait": False})
    if stopped is None:
        raise LeaseLost(order.id)
    reservation.release(session, order, ending.status, order.next_step)


def _noted(session: Session, order: Order, kind: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "need_not_wait": not session.info.get(CARRIED),
        "order_id": order.id,
        "token": order.lease_token,
        "step": order.next_step,
        "kind": kind,
        "facts": step_ends.told(order, facts),
    }
