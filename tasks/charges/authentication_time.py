"""How long a customer has to authenticate a payment, and when the provider is asked about it meanwhile."""

from datetime import datetime, timedelta

from models.payments import ChargeAttempt
from models.states import AttemptStatus
from tasks.quotes.fresh_quote import TOLERATED_DELAY
from tasks.wiring import now, policy

FIRST_LOOK = timedelta(seconds=20)
"""how long we wait for the webhook before the sweep has the provider asked; each further wait is a quarter of the time since the attempt began"""
LONGEST_WAIT = timedelta(hours=1)


def next_look(attempt: ChargeAttempt) -> timedelta:
    """How long to wait before asking the provider again about an attempt that awaits authentication."""
    waited = now() - attempt.created_at
    return min(max(FIRST_LOOK, waited / 4), LONGEST_WAIT, max(_time_left(attempt), timedelta(0)))


def may_be_authenticated(attempt: ChargeAttempt) -> bool:
    """Whether there is time left to authenticate the payment of an attempt that awaits it."""
    return _time_left(attempt) > timedelta(0)


def authentication_expired(attempt: ChargeAttempt) -> bool:
    """Whether the time to authenticate the payment is over and, as far as we know, the customer has not done so."""
    return attempt.status is AttemptStatus.REQUIRES_ACTION and _time_left(attempt) <= timedelta(0)


def known_too_late(attempt: ChargeAttempt) -> bool:
    """Whether we learn of the payment only long after its time limit, when the period paid for has long begun."""
    return authentication_expired(attempt) and _time_left(attempt) < -TOLERATED_DELAY


def authenticate_until(attempt: ChargeAttempt) -> datetime:
    """When the time to authenticate the payment is over. It is limited because the period paid for has begun."""
    return (attempt.asked_at or attempt.created_at) + policy().authentication_lifetime


def _time_left(attempt: ChargeAttempt) -> timedelta:
    """How long the customer still has to authenticate the payment; negative once over."""
    return authenticate_until(attempt) - now()
