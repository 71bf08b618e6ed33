"""Payments that await 3-D Secure and for which no webhook arrived. The provider is asked now and then; the order stays unchanged until then.

The sweep says which orders are due, and the `payments` queue asks, so that a provider that is slow to answer holds up no sweep. A
question that is lost, or that fails, is repeated at the next check.
"""

from collections.abc import Iterable
from uuid import UUID

import structlog
from celery import shared_task
from kombu.exceptions import OperationalError as BrokerAway
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models import waiting_orders
from models.lease import db_now
from models.orders import Order
from models.payments import ChargeAttempt
from models.states import AttemptStatus, OrderStatus
from tasks.charges import charge_attempts, charge_news
from tasks.charges.authentication_time import may_be_authenticated, next_look
from tasks.errors import NO_DATABASE, Misconfigured, TemporarilyUnavailable, without_broker
from tasks.wiring import begin

log = structlog.get_logger(__name__)

_EXPIRES = 60
"""seconds; by then the next check has sent another question (two hosts' clocks are compared; see `worker.celery_config`)"""


def look_after(session: Session, order: Order) -> bool:
    """Schedule the next check. Once the time to authenticate is over, continue with the payment step, which ends the order or finds it paid.

    Lock the order first, and `enqueue_questions` about it afterwards.
    """
    attempt = charge_attempts.live(session, order.id)
    if attempt is None or not may_be_authenticated(attempt):
        return waiting_orders.look_at_payment(session, order.id, why="asking the provider")
    session.execute(update(Order).where(Order.id == order.id).values(wake_at=db_now(next_look(attempt))))
    return True


def enqueue_questions(orders: Iterable[UUID]) -> None:
    """Send questions about these orders; orders no longer waiting are skipped. Without a broker, the next check sends them."""
    for order_id in orders:
        try:
            ask_about_authentication.apply_async((str(order_id),), expires=_EXPIRES)
        except BrokerAway as error:
            log.warning(without_broker(error), order_id=str(order_id), error=type(error).__name__)
            return


@shared_task(name="ask_about_authentication", ignore_result=True, throws=NO_DATABASE)
def ask_about_authentication(order_id: str) -> str:
    """Ask for the payment's status, and handle the answer like a webhook; returns the outcome."""
    waits = (Order.status == OrderStatus.AWAITING_AUTHENTICATION, ChargeAttempt.status == AttemptStatus.REQUIRES_ACTION)
    charge = select(ChargeAttempt.ref).join(Order, Order.id == ChargeAttempt.order_id)
    with begin() as session:
        ref = session.scalar(charge.where(Order.id == UUID(order_id), *waits))
    if ref is None:
        return "awaits no authentication"
    try:
        return charge_news.handle(ref, why="asking the provider").value
    except TemporarilyUnavailable as error:
        log.warning("asked again later", order_id=order_id, error=str(error))
        return "asked again later"
    except Misconfigured as error:
        log.error("payment cannot be asked about", order_id=order_id, error=str(error))
        return "cannot be asked about"
