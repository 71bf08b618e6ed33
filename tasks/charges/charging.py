"""The charge of an order, attempt by attempt: what to ask the provider next. What its answer means is in `charge_answers`.

An attempt is committed with its key before the provider is asked. While one attempt is unsettled no other begins (a unique index
enforces that). A declined, cancelled or void attempt is over; the next one has a new number and a new key.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from sqlalchemy.orm import Session

from models.orders import Order
from models.payments import ChargeAttempt
from tasks.charges import charge_attempts
from tasks.charges.authentication_time import authentication_expired
from tasks.charges.charge_attempts import Standing
from tasks.errors import Misconfigured
from tasks.ports import ChargeRequest
from tasks.wiring import now, policy


class Move(Enum):
    """What to ask the provider about an attempt."""

    CHARGE = auto()
    """create and confirm under its key; safe to repeat under the same key"""
    RETRIEVE = auto()
    LAST_LOOK = auto()
    """retrieve, and cancel where it still waits for the customer"""
    CANCEL = auto()
    FIND = auto()
    """its key may be forgotten by now: look it up by metadata before anything new is made"""
    FIND_OR_CHARGE = auto()
    """the order is older than any key that the provider still knows. If the database was restored from a backup, the order may have been
    charged already, so search by metadata first"""


@dataclass(frozen=True, slots=True)
class Plan:
    move: Move
    attempt: ChargeAttempt
    request: ChargeRequest
    last_asked: datetime
    """when the provider was last asked to make this charge, before this plan"""


def plan_and_mark(session: Session, order: Order, attempt: ChargeAttempt, standing: Standing) -> Plan:
    """Decide what to ask the provider about an unsettled attempt. Raises Misconfigured.

    A charge to be made is marked as asked: commit before asking. One that is looked up first is marked after that (`charge_calls`).
    """
    request, last_asked = _request(order, attempt, standing), attempt.asked_at or attempt.created_at
    move = _move(order, attempt)
    if move is Move.CHARGE:
        charge_attempts.mark_asked(session, attempt, now())
    return Plan(move, attempt, request, last_asked)


def _move(order: Order, attempt: ChargeAttempt) -> Move:
    if order.cancel_requested_at is not None:
        return Move.CANCEL if attempt.ref else Move.FIND
    if attempt.ref is not None:
        return Move.LAST_LOOK if authentication_expired(attempt) else Move.RETRIEVE
    keys_known_since = now() - policy().charge_key_lifetime
    if attempt.created_at < keys_known_since:
        return Move.FIND
    return Move.FIND_OR_CHARGE if order.created_at < keys_known_since else Move.CHARGE


def _request(order: Order, attempt: ChargeAttempt, standing: Standing) -> ChargeRequest:
    method, customer_ref = standing.method, standing.customer_ref
    if method is None or customer_ref is None:
        raise Misconfigured(f"attempt {attempt.key} is of an account that the provider has no customer for")
    return ChargeRequest(
        order_id=order.id,
        attempt=attempt.attempt,
        key=attempt.key,
        customer_ref=customer_ref,
        payment_method_ref=method.ref,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        description=f"Order {order.number}",
    )
