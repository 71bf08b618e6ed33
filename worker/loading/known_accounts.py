"""What the database has of listed accounts, read for many at once, and what a file says otherwise."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.accounts import Account, Contact, PaymentMethod
from models.ledger import LedgerMovement
from models.orders import Order, OrderLine
from worker.loading.accounts_file import AccountListed, ContactListed, SubscriptionListed, contact_id
from worker.loading.readable_file import Problem


@dataclass(frozen=True, slots=True)
class Known:
    accounts: Mapping[UUID, Account]
    contacts: Mapping[UUID, Mapping[str, Contact]]
    """each account's by address; one who was erased has another address than before"""
    granted: Mapping[str, int]
    """by cause"""
    ordered: Mapping[str, OrderLine]
    """the line of each subscription that a file has ordered before, by idempotency key"""
    with_card: frozenset[UUID]
    """accounts that ever had a payment method"""

    def contradictions(self, listed: AccountListed) -> Iterator[Problem]:
        """Why the file cannot be loaded."""
        there = self.accounts.get(listed.id)
        if there is not None and there.currency != listed.columns["currency"]:
            yield Problem(listed.line, f"accounts.{listed.code}: its currency cannot be changed from {there.currency}")
        else:
            yield from self._erased(listed)

    def _erased(self, listed: AccountListed) -> Iterator[Problem]:
        """Whoever was erased stays so. That is noticed only of those whom a file had brought, because their ids are made from their addresses."""
        known = self._contacts_of(listed)
        erased = {each.id: each for each in known.values() if each.erased_at is not None}
        for contact in listed.contacts:
            there = erased.get(contact_id(listed.code, contact.email))
            if there is not None and contact.email not in known:
                yield Problem(
                    listed.line,
                    f"accounts.{listed.code}.contacts: {contact.email} was erased on {there.erased_at:%Y-%m-%d} (prorata people erase): "
                    "remove this contact; one who wants to be a contact again is added by the upstream",
                )

    def has_other_facts(self, listed: AccountListed) -> bool:
        """Whether the file says anything else of the account or its contacts than the database, which may have none of them."""
        return self.has_other_columns(listed) or any(self.other_contacts(listed))

    def has_other_columns(self, listed: AccountListed) -> bool:
        return _says_otherwise(listed.columns, self.accounts.get(listed.id))

    def other_contacts(self, listed: AccountListed) -> Iterator[ContactListed]:
        """Those who are not there, or of whom the file says something else."""
        known = self._contacts_of(listed)
        for contact in listed.contacts:
            if _says_otherwise(columns_of(contact), known.get(contact.email)):
                yield contact

    def is_to_be_granted(self, listed: AccountListed) -> bool:
        return bool(listed.balance_minor) and granted_cause(listed) not in self.granted

    def is_to_be_ordered(self, listed: AccountListed, subscription: SubscriptionListed) -> bool:
        return order_key(listed, subscription) not in self.ordered

    def left_alone(self, listed: AccountListed) -> Iterator[str]:
        """Money that was granted, what was ordered and who may have ordered it are history: a file does not rewrite them."""
        if self.granted.get(granted_cause(listed), listed.balance_minor) != listed.balance_minor:
            yield f"{listed.code}: the balance it was granted"
        named = {contact.email for contact in listed.contacts}
        for email, contact in self._contacts_of(listed).items():
            if email not in named and contact.erased_at is None:
                yield f"{listed.code}: contact {email}, whom the file does not name"
        for subscription in listed.subscriptions:
            cart, line = subscription.cart, self.ordered.get(order_key(listed, subscription))
            if line is not None and (line.tier_code, line.seats, line.interval) != (
                cart.tier,
                cart.seats,
                cart.interval,
            ):
                yield f"{listed.code}: its subscription to {cart.product}, which only an order changes"

    def _contacts_of(self, listed: AccountListed) -> Mapping[str, Contact]:
        return self.contacts.get(listed.id, {})


def read(session: Session, listed: Sequence[AccountListed]) -> Known:
    ids = [account.id for account in listed]
    causes = [granted_cause(account) for account in listed]
    keys = [order_key(account, each) for account in listed for each in account.subscriptions]
    contacts = defaultdict[UUID, dict[str, Contact]](dict)
    for contact in session.scalars(select(Contact).where(Contact.account_id.in_(ids)).order_by(Contact.email)):
        contacts[contact.account_id][contact.email] = contact
    granted = select(LedgerMovement.cause, LedgerMovement.amount_minor).where(LedgerMovement.cause.in_(causes))
    ordered = (
        select(Order.idempotency_key, OrderLine)
        .join(OrderLine, OrderLine.order_id == Order.id)
        .where(Order.api_key_id.is_(None), Order.idempotency_key.in_(keys))
    )
    return Known(
        accounts={account.id: account for account in session.scalars(select(Account).where(Account.id.in_(ids)))},
        contacts=contacts,
        granted={row.cause: row.amount_minor for row in session.execute(granted)},
        ordered={row.idempotency_key: row.OrderLine for row in session.execute(ordered)} if keys else {},
        with_card=frozenset(session.scalars(select(PaymentMethod.account_id).where(PaymentMethod.account_id.in_(ids)))),
    )


def granted_cause(listed: AccountListed) -> str:
    """Of the movement by which a file grants a balance, once."""
    return f"account:{listed.id}:granted"


def order_key(listed: AccountListed, subscription: SubscriptionListed) -> str:
    """The idempotency key of the order by which an account gets what the file lists, once."""
    return f"accounts-file:{listed.id}:{subscription.cart.product}"


def columns_of(contact: ContactListed) -> dict[str, Any]:
    """What the file says of a person."""
    flag = contact.is_billing_contact
    return {"name": contact.name} | ({} if flag is None else {"is_billing_contact": flag})


def _says_otherwise(listed: Mapping[str, Any], there: Account | Contact | None) -> bool:
    return there is None or any(getattr(there, name) != value for name, value in listed.items())
