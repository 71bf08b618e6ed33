"""A payment method that a customer's browser made, given to an account; a refused one is answered in the account's language."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import structlog

from api_stub.problems.details import Problem
from models.accounts import Language, PaymentMethod
from tasks.errors import PaymentMethodRefused
from tasks.letters.reasons import METHOD_NOT_STORED, METHOD_REFUSED, OF_THE_METHOD, TOO_MANY_DECLINES
from tasks.letters.wording import Wording
from tasks.ports import StoredPaymentMethod
from tasks.upstream import declines, payment_details
from tasks.upstream.request import instant
from tasks.wiring import begin, policy

log = structlog.get_logger(__name__)

_NO_SUCH_METHOD: Final = "resource_missing"
_FOR_THE_UPSTREAM: Final = (
    "There is no such PaymentMethod. It must be the id of one (pm_...) that was made with a publishable key of the same Stripe account, "
    "in the same mode (test or live), as the secret key in use here."
)


def attach(account_id: UUID, token: str, language: Language) -> PaymentMethod:
    """Outside of any transaction. Raises Problem 409 or 422, TemporarilyUnavailable."""
    with _refusal_in(language, account_id):
        return payment_details.attach(account_id, token)


def store(account_id: UUID, token: str, language: Language) -> StoredPaymentMethod:
    """With the provider only, outside of any transaction. Raises Problem 409 or 422, TemporarilyUnavailable."""
    with _refusal_in(language, account_id):
        return payment_details.store(account_id, token)


@contextmanager
def _refusal_in(language: Language, account_id: UUID) -> Iterator[None]:
    w = Wording(language, "EUR", "UTC")  # speaks of no money and no time
    with begin() as session:
        retry_at = declines.none_until(session, account_id)
    if retry_at is not None:
        log.warning("too many declines", account_id=str(account_id))
        told = w.say(TOO_MANY_DECLINES, support=policy().seller.support_email)
        raise Problem(409, "too-many-declines", told, retry_at=instant(retry_at))
    try:
        yield
    except PaymentMethodRefused as refused:
        if refused.code == _NO_SUCH_METHOD:  # a mistake of the upstream, about which no customer can do anything
            log.warning("no such payment method", account_id=str(account_id), decline_code=refused.code)
            raise _problem(refused, w.say(METHOD_NOT_STORED), _FOR_THE_UPSTREAM) from None
        why = OF_THE_METHOD.get(refused.code)
        detail = " ".join([*([w.say(why)] if why else []), w.say(METHOD_REFUSED)])
        raise _problem(refused, detail, detail) from None


def _problem(refused: PaymentMethodRefused, detail: str, of_the_token: str) -> Problem:
    errors = [{"pointer": "/token", "detail": of_the_token}]
    return Problem(422, "payment-method-refused", detail, decline_code=refused.code, errors=errors)
