"""How many charges of an account may be declined: whoever has stolen card numbers must not find out here which of them can be charged."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Interval, func, select, type_coerce
from sqlalchemy.orm import Session

from models.orders import Order
from models.payments import ChargeAttempt
from models.states import AttemptStatus

MOST = 10
WITHIN = timedelta(days=1)


def wait_for_another_card(session: Session, account_id: UUID) -> timedelta | None:
    """How long the account can be given no payment method, as `MOST` of its charges were declined `WITHIN` a day; None if it can."""
    until = ChargeAttempt.settled_at + WITHIN
    return session.scalar(
        select(type_coerce(until - func.clock_timestamp(), Interval))
        .join(Order, Order.id == ChargeAttempt.order_id)
        .where(
            Order.account_id == account_id,
            ChargeAttempt.status == AttemptStatus.DECLINED,
            until > func.clock_timestamp(),
        )
        .order_by(ChargeAttempt.settled_at.desc())
        .offset(MOST - 1)
        .limit(1)
    )
