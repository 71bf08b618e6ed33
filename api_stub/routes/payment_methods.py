"""A payment method that a customer's browser made, given to an account; a refused one is answered in the account's language."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from api_stub.problems.details import Problem
from models.accounts import Language, PaymentMethod
from tasks.errors import PaymentMethodRefused
from tasks.letters.reasons import METHOD_REFUSED, OF_THE_METHOD
from tasks.letters.wording import Wording
from tasks.ports import StoredPaymentMethod
from tasks.upstream import payment_details


def attach(account_id: UUID, token: str, language: Language) -> PaymentMethod:
    """Outside of any transaction. Raises Problem 422, TemporarilyUnavailable."""
    with _refusal_in(language):
        return payment_details.attach(account_id, token)


def store(account_id: UUID, token: str, language: Language) -> StoredPaymentMethod:
    """With the provider only, outside of any transaction. Raises Problem 422, TemporarilyUnavailable."""
    with _refusal_in(language):
        return payment_details.store(account_id, token)


@contextmanager
def _refusal_in(language: Language) -> Iterator[None]:
    try:
        yield
    except PaymentMethodRefused as refused:
        w = Wording(language, "EUR", "UTC")  # speaks of no money and no time
        why = OF_THE_METHOD.get(refused.code)
        detail = " ".join([*([w.say(why)] if why else []), w.say(METHOD_REFUSED)])
        errors = [{"pointer": "/token", "detail": detail}]
        raise Problem(422, "payment-method-refused", detail, decline_code=refused.code, errors=errors) from None
