"""How many charges of an account may be declined: whoever has stolen card numbers must not find out here which of them can be charged."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import DateTime, func, literal_column, select, type_coerce
from sqlalchemy.orm import Session

from models.orders import Order
from models.payments import ChargeAttempt
from models.states import AttemptStatus

MOST = 10
WITHIN = timedelta(days=1)


def none_until(session: Session, account_id: UUID) -> datetime | None:
    """Until when the account is given no other payment method, as `MOST` of its charges were declined `WITHIN` a day; None if it can be given one."""
    until = ChargeAttempt.settled_at + WITHIN
    now = select(func.clock_timestamp()).scalar_subquery()  # asked once, so that an index has what was declined since
    return session.scalar(
        select(type_coerce(func.date_trunc("second", until) + timedelta(seconds=1), DateTime(timezone=True)))
        .join(Order, Order.id == ChargeAttempt.order_id)
        .where(
            Order.account_id == account_id,
            ChargeAttempt.status
            == literal_column(f"'{AttemptStatus.DECLINED}'"),  # the index's condition, as a prepared plan needs it
            ChargeAttempt.settled_at > now - WITHIN,
        )
        .order_by(ChargeAttempt.settled_at.desc())
        .offset(MOST - 1)
        .limit(1)
    )
