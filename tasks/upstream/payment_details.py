"""How an account pays: the one usable payment method, kept with the provider."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import NamedTuple, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import and_, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session, selectinload

from models.account_lock import lock_account
from models.accounts import Account, PaymentMethod, PaymentMethodStatus
from models.base import uuid7
from models.cart_facts import UnknownAccount
from models.orders import Order, OrderLine
from models.payments import ChargeAttempt
from models.prepared import Prepared
from models.rules.cart import Action
from models.states import UNTIL_CHARGED, AttemptStatus, OrderStatus
from tasks.errors import CustomerDeleted, KeyReused, KeySpent, Refused
from tasks.ports import StoredPaymentMethod
from tasks.upstream.request import RequestRefused
from tasks.wiring import begin, payments

T = TypeVar("T")
log = structlog.get_logger(__name__)

_USABLE = Prepared[PaymentMethod](
    select(PaymentMethod).where(
        PaymentMethod.account_id == bindparam("of"), PaymentMethod.status == PaymentMethodStatus.USABLE
    ),
    PaymentMethod,
)


def usable(session: Session, account_id: UUID) -> PaymentMethod | None:
    """The method that would be charged."""
    return _USABLE.scalar(session, {"of": account_id})


class DeclinedMethod(NamedTuple):
    brand: str
    last4: str
    decline_code: str | None
    declined_at: datetime | None


def last_declined(session: Session, account_id: UUID) -> DeclinedMethod | None:
    """Of the methods that are not charged any more because they were declined, the one to which that happened last."""
    query = (
        select(PaymentMethod.brand, PaymentMethod.last4, ChargeAttempt.decline_code, ChargeAttempt.settled_at)
        .join(ChargeAttempt, ChargeAttempt.payment_method_id == PaymentMethod.id)
        .join(Order, Order.id == ChargeAttempt.order_id)  # charges have no index of their methods
        .where(
            Order.account_id == account_id,
            PaymentMethod.account_id == account_id,
            PaymentMethod.status == PaymentMethodStatus.DECLINED,
            ChargeAttempt.status == AttemptStatus.DECLINED,
        )
        .order_by(ChargeAttempt.settled_at.desc())
        .limit(1)
    )
    row = session.execute(query).one_or_none()
    return DeclinedMethod(*row) if row is not None else None


def attach(account_id: UUID, token: str) -> PaymentMethod:
    """Store a payment method that the customer's browser made (`token`) and use it from now on; it replaces the one before.

    Raises UnknownAccount, PaymentMethodRefused, TemporarilyUnavailable.
    """
    stored = store(account_id, token)
    with begin() as session:
        return use(session, account_id, stored)


def store(account_id: UUID, token: str) -> StoredPaymentMethod:
    """Attach it to the account's customer at the provider, which charges nothing to it until `use`.

    Asks outside any transaction, under keys made from account and token, so that a repeated call adds nothing. One that is not used after all
    stays there: the next request may give it again, and the provider takes none back that was detached.
    Raises UnknownAccount, PaymentMethodRefused, TemporarilyUnavailable.
    """
    customer_ref = _customer(account_id)
    try:
        return _attached(account_id, customer_ref, token)
    except CustomerDeleted:
        return _attached(account_id, _another_customer(account_id, instead_of=customer_ref), token)


def _attached(account_id: UUID, customer_ref: str, token: str) -> StoredPaymentMethod:
    key = f"account:{account_id}:payment-method:{hashlib.sha256(token.encode()).hexdigest()[:32]}"
    return _done_again(
        key, lambda key: payments().attach_payment_method(customer_ref=customer_ref, token=token, key=key)
    )


def use(session: Session, account_id: UUID, stored: StoredPaymentMethod) -> PaymentMethod:
    """The account's payment method from now on. Locks the account; whoever needs an order's lock, too, takes that first."""
    lock_account(session, account_id)
    _replace_usable(session, account_id)
    return session.scalars(
        upsert(PaymentMethod)
        .values(id=uuid7(), account_id=account_id, ref=stored.ref, brand=stored.brand, last4=stored.last4)
        .on_conflict_do_update(index_elements=["account_id", "ref"], set_={"status": PaymentMethodStatus.USABLE})
        .returning(PaymentMethod)
    ).one()


def remove(session: Session, account_id: UUID) -> None:
    """The account has no payment method from now on; it stays stored with the provider's customer, as one that was replaced does.

    Raises RequestRefused (payment-method-in-use) while an order may charge it without its customer doing anything more.
    """
    lock_account(session, account_id)
    if usable(session, account_id) is None:
        return
    is_charged_next = (
        Order.status.in_((OrderStatus.OPEN, OrderStatus.NEEDS_ATTENTION)),
        Order.next_step.in_(UNTIL_CHARGED),
        Order.lines.any(OrderLine.action != Action.TRIAL),
    )
    may_charge = or_(and_(*is_charged_next), Order.status == OrderStatus.AWAITING_AUTHENTICATION)
    query = select(Order.id).where(Order.account_id == account_id, may_charge).order_by(Order.number)
    if order_ids := [str(id_) for id_ in session.scalars(query)]:
        raise RequestRefused(
            "payment-method-in-use",
            "Orders that have not ended may charge the payment method; wait for them, or cancel them first.",
            order_ids=order_ids,
        )
    _replace_usable(session, account_id)


def _replace_usable(session: Session, account_id: UUID) -> None:
    session.execute(
        update(PaymentMethod)
        .where(PaymentMethod.account_id == account_id, PaymentMethod.status == PaymentMethodStatus.USABLE)
        .values(status=PaymentMethodStatus.REPLACED)
    )


def _customer(account_id: UUID) -> str:
    """The provider's id of the account's customer, who is created there when first needed."""
    with begin() as session:
        account = session.get(Account, account_id, options=[selectinload(Account.contacts)])
        if account is None:
            raise UnknownAccount(f"there is no account {account_id}")
        if account.customer_ref is not None:
            return account.customer_ref
        name, email = _whom(account)
    ref = _made(f"account:{account_id}:customer", account_id, name, email)
    with begin() as session:
        session.execute(
            update(Account).where(Account.id == account_id, Account.customer_ref.is_(None)).values(customer_ref=ref)
        )
        return session.scalar(select(Account.customer_ref).where(Account.id == account_id)) or ref


def _another_customer(account_id: UUID, *, instead_of: str) -> str:
    """The account's customer from now on, after the provider's was deleted there, which took all of its payment methods with it.

    What was stored with that one, and may still be under way, goes on being looked up there.
    """
    with begin() as session:
        account = session.get_one(Account, account_id, options=[selectinload(Account.contacts)])
        name, email = _whom(account)
    ref = _made(f"account:{account_id}:customer:after:{instead_of}", account_id, name, email, instead_of=instead_of)
    with begin() as session:
        lock_account(session, account_id)
        account = session.get_one(Account, account_id)
        if account.customer_ref == instead_of:
            log.warning("customer deleted at the provider", account_id=str(account_id), was=instead_of, now=ref)
            account.customer_ref = ref
            stored = PaymentMethod.account_id == account_id, PaymentMethod.customer_ref.is_(None)
            session.execute(update(PaymentMethod).where(*stored).values(customer_ref=instead_of))
            _replace_usable(session, account_id)
        return account.customer_ref or ref


def _whom(account: Account) -> tuple[str, str | None]:
    """Name, and email address of a billing contact."""
    return account.name, next((contact.email for contact in account.contacts if contact.is_billing_contact), None)


def _made(key: str, account_id: UUID, name: str, email: str | None, *, instead_of: str | None = None) -> str:
    """Create a customer with this address, or without it if the provider refuses it: we write to our customers ourselves."""
    create = partial(payments().create_customer, account_id=account_id, name=name, instead_of=instead_of)
    try:
        return _done_again(key, lambda key: create(email=email, key=key))
    except Refused as refused:
        log.warning("customer without an email address", account_id=str(account_id), error=str(refused))
        return _done_again(f"{key}:without-email", lambda key: create(email=None, key=key))


KEYS = 5


def _done_again(key: str, call: Callable[[str], T]) -> T:
    """Make a call that moves no money, and so may be repeated. The next key is used if the provider has stored its own failure under one, or
    has seen it with a different request (the account was renamed since)."""
    for number in range(1, KEYS):
        with suppress(KeySpent, KeyReused):
            return call(key if number == 1 else f"{key}:{number}")
    return call(f"{key}:{KEYS}")
