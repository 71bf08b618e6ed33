"""Looks once more for the charge of an attempt that was given up: should money have arrived all the same, no webhook is needed to notice it."""

import time
from contextlib import suppress
from datetime import timedelta

import structlog
from celery import shared_task
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.accounts import CUSTOMER, Account, PaymentMethod
from models.orders import Order
from models.payments import ChargeAttempt
from tasks.charges import charge_news
from tasks.charges.unexpected_money import RefundFailed
from tasks.errors import NO_DATABASE, RefundRefused, TemporarilyUnavailable, told
from tasks.ports import ChargeStatus
from tasks.wiring import begin, now, payments

log = structlog.get_logger(__name__)

LATER = timedelta(minutes=15)
"""long after any request for the charge may still take effect (`ports.UNDER_WAY`)"""
BATCH = 50
LONGEST_RUN = 60.0
"""seconds after which a run takes no further attempt: the last may take as long as several calls to a slow provider do, and the next run comes soon"""


def watch(session: Session, attempt: ChargeAttempt, *, in_: timedelta = LATER) -> None:
    """Have it looked up once more. Call it in the transaction that gives the attempt up."""
    _look_again(session, attempt, in_=in_)


@shared_task(name="late_charges", ignore_result=True, throws=NO_DATABASE)
def late_charges() -> int:
    """Look up the attempts that are due, and give back what was charged; returns how many were due.

    Stops where the provider cannot be asked, and after `LONGEST_RUN`: the others can wait for the next run.
    """
    looked_up = 0
    until = time.monotonic() + LONGEST_RUN
    while looked_up < BATCH and time.monotonic() < until and (due := _next()) is not None:
        looked_up += 1
        try:
            _look(*due)
        except NO_DATABASE:
            raise
        except TemporarilyUnavailable as error:
            log.warning("late charges are looked up later", error=str(error))
            break
        except RefundFailed as error:
            log.warning("late charge goes back later", order_id=str(due[0].order_id), error=str(error))
        except Exception as error:  # one that cannot be handled must not stop those behind it
            log.exception("late charge cannot be handled", order_id=str(due[0].order_id), **told(error))
    return looked_up


def _next() -> tuple[ChargeAttempt, str] | None:
    """Take an attempt that is due, with the provider's id of its customer, and set its next time: until it is dealt with, it is looked up again."""
    with begin() as session:
        query = (
            select(ChargeAttempt, CUSTOMER)
            .join(Order, Order.id == ChargeAttempt.order_id)
            .join(Account, Account.id == Order.account_id)
            .join(PaymentMethod, PaymentMethod.id == ChargeAttempt.payment_method_id)
            .where(ChargeAttempt.look_again_at <= now(), CUSTOMER.is_not(None))
        )
        row = session.execute(
            query.order_by(ChargeAttempt.look_again_at).limit(1).with_for_update(of=ChargeAttempt, skip_locked=True)
        ).one_or_none()
        attempt, customer_ref = row or (None, None)
        if attempt is None or customer_ref is None:
            return None
        _look_again(session, attempt, in_=LATER)
        return attempt, customer_ref


def _look(attempt: ChargeAttempt, customer_ref: str) -> None:
    found = payments().find_charges(customer_ref=customer_ref, order_id=attempt.order_id, since=attempt.created_at)
    ours = [charge for charge in found if charge.attempt == attempt.attempt]
    for charge in ours:
        if charge.status is ChargeStatus.SUCCEEDED:
            with suppress(RefundRefused):  # as the next refund would be; a person was called
                charge_news.handle(charge.ref)
    if all(charge.status is not ChargeStatus.PROCESSING for charge in ours):
        with begin() as session:
            _look_again(session, attempt, in_=None)


def _look_again(session: Session, attempt: ChargeAttempt, *, in_: timedelta | None) -> None:
    session.execute(
        update(ChargeAttempt)
        .where(ChargeAttempt.order_id == attempt.order_id, ChargeAttempt.attempt == attempt.attempt)
        .values(look_again_at=None if in_ is None else now() + in_)
        .execution_options(synchronize_session=False)
    )
