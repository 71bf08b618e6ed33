"""Loads an accounts file: first the facts, all or none; then the cards, at the payment provider; then an order for each subscription.

A subscription that an account already has is ordered as any customer would order it, with effect from the day it was bought: the
same steps charge, activate and confirm it. Loading a file again applies what differs in it, leaves alone what it does not
mention, and repeats nothing.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models import ledger
from models.accounts import NOT_ERASED, Account, Contact, PaymentMethod
from models.catalogue import CatalogueVersion
from models.ledger import LedgerMovement
from models.orders import Order, OrderLine
from models.rules import vat
from models.rules.vat import Treatment
from models.sold_to import SoldTo
from tasks import placement
from tasks.errors import PaymentMethodRefused
from tasks.invoices.printable import can_be_printed
from tasks.quotes.quoting import CartRefused
from tasks.upstream import payment_details
from tasks.wiring import begin, now, policy
from worker.loading.accounts_file import (
    AccountListed,
    AccountsFile,
    ContactListed,
    SubscriptionListed,
    account_id,
    contact_id,
)
from worker.loading.readable_file import FileRefused, Problem


@dataclass(slots=True)
class Loaded:
    new: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    """those of `known` for which the file says something other than the database did"""
    without_address: list[str] = field(default_factory=list)
    """with an address neither in the file nor in the database: their invoices will lack what the VAT directive requires"""
    in_another_currency: list[str] = field(default_factory=list)
    """charged VAT in a currency other than the tax state's: their invoices will lack the amount in the state's own"""
    not_printable: list[str] = field(default_factory=list)
    """names and addresses that an invoice's PDF cannot print, each with its account"""
    left_alone: list[str] = field(default_factory=list)
    """differences that loading never applies, in words"""
    orders: dict[str, list[UUID]] = field(default_factory=dict)
    """those placed by this load, one per listed subscription, by account; workers carry them on"""


class LoadedInPart(FileRefused):
    """The problems were found after part of the file had been loaded."""

    def __init__(self, file: Path, problems: Collection[Problem], loaded: str) -> None:
        super().__init__(file, problems)
        self.args = (
            f"{self}\nLoaded all the same: {loaded}. Fix the file and load it again; nothing is loaded twice.",
        )


def load(listed: AccountsFile) -> Loaded:
    """Raises FileRefused, LoadedInPart; TemporarilyUnavailable where the payment provider is down: loading again continues from there."""
    loaded = Loaded()
    with begin() as session:
        first = next((bought for account in listed.accounts for bought in account.subscriptions), None)
        if first is not None and session.scalar(select(CatalogueVersion.id).limit(1)) is None:
            message = (
                "nothing is sold yet, so nobody can have it: prorata catalogue load FILE first; no account was loaded"
            )
            raise FileRefused(listed.file, [Problem(first.line, message)])
        problems = [problem for account in listed.accounts for problem in _load_account(session, account, loaded)]
        if problems:
            raise FileRefused(listed.file, problems)
    if problems := [problem for account in listed.accounts for problem in _attach(account)]:
        raise LoadedInPart(listed.file, problems, "the accounts, their contacts and balances")
    with begin() as session:
        problems = [problem for account in listed.accounts for problem in _order(session, account, loaded)]
        if problems:
            raise LoadedInPart(listed.file, problems, "the accounts, their contacts, balances and payment methods")
    return loaded


def _load_account(session: Session, listed: AccountListed, loaded: Loaded) -> Iterator[Problem]:
    there = session.get(Account, account_id(listed.code))
    if there is not None and there.currency != listed.columns["currency"]:
        yield Problem(listed.line, f"accounts.{listed.code}: its currency cannot be changed from {there.currency}")
        return
    if erased := list(_erased(session, listed)):
        yield from erased
        return
    (loaded.known if there else loaded.new).append(listed.code)
    if not listed.columns.get("address", there.address if there else "").strip():
        loaded.without_address.append(listed.code)
    loaded.not_printable += [f"{listed.code}: {said}" for said in _said_on_invoices(listed) if not can_be_printed(said)]
    if there is not None:
        if _differs(session, there, listed):
            loaded.changed.append(listed.code)
        loaded.left_alone.extend(_left_alone(session, listed))
    row = {"id": account_id(listed.code), **listed.columns}
    session.execute(upsert(Account).values(row).on_conflict_do_update(index_elements=["id"], set_=listed.columns))
    if _pays_vat_in_another_currency(session.get_one(Account, row["id"], populate_existing=True)):
        loaded.in_another_currency.append(listed.code)
    for contact in listed.contacts:
        facts = _columns_of(contact)
        statement = upsert(Contact).values(
            id=contact_id(listed.code, contact.email),
            account_id=account_id(listed.code),
            email=contact.email,
            **facts,
        )
        session.execute(statement.on_conflict_do_update(index_elements=["account_id", "email"], set_=facts))
    if listed.balance_minor:
        ledger.post(
            session,
            account_id=account_id(listed.code),
            currency=listed.columns["currency"],
            kind=ledger.MovementKind.GRANTED,
            amount_minor=listed.balance_minor,
            cause=f"account:{account_id(listed.code)}:granted",
            step="accounts load",
            note="granted with the accounts file",
        )


def _said_on_invoices(listed: AccountListed) -> Iterator[str]:
    """What the file gives an invoice to say of its buyer."""
    yield from (listed.columns[name] for name in ("name", "address") if name in listed.columns)
    yield from (contact.name for contact in listed.contacts)


def _pays_vat_in_another_currency(account: Account) -> bool:
    decision = SoldTo.today(account).vat(seller_country=policy().seller.country, at=now())
    charged = decision.treatment in (Treatment.DOMESTIC, Treatment.DESTINATION_RATE)
    return charged and account.currency != vat.currency_of(account.country)


def _differs(session: Session, there: Account, listed: AccountListed) -> bool:
    contacts = {
        contact.email: contact for contact in session.scalars(select(Contact).where(Contact.account_id == there.id))
    }
    return _says_otherwise(listed.columns, there) or any(
        _says_otherwise(_columns_of(contact), contacts.get(contact.email)) for contact in listed.contacts
    )


def _columns_of(contact: ContactListed) -> dict[str, Any]:
    """What the file says of a person."""
    flag = contact.is_billing_contact
    return {"name": contact.name} | ({} if flag is None else {"is_billing_contact": flag})


def _says_otherwise(listed: Mapping[str, Any], there: Account | Contact | None) -> bool:
    return there is None or any(getattr(there, name) != value for name, value in listed.items())


def _left_alone(session: Session, listed: AccountListed) -> Iterator[str]:
    """Money that was granted, what was ordered and who may have ordered it are history: a file does not rewrite them."""
    account = account_id(listed.code)
    granted = select(LedgerMovement.amount_minor).where(LedgerMovement.cause == f"account:{account}:granted")
    if (session.scalar(granted) or 0) != listed.balance_minor and session.scalar(granted) is not None:
        yield f"{listed.code}: the balance it was granted"
    emails = {contact.email for contact in listed.contacts}
    there = select(Contact.email).where(Contact.account_id == account, NOT_ERASED)
    for email in session.scalars(there.order_by(Contact.email)):
        if email not in emails:
            yield f"{listed.code}: contact {email}, whom the file does not name"
    for subscription in listed.subscriptions:
        cart = subscription.cart
        first = (
            select(OrderLine)
            .join(Order, Order.id == OrderLine.order_id)
            .where(Order.api_key_id.is_(None), Order.idempotency_key == f"accounts-file:{account}:{cart.product}")
        )
        line = session.scalar(first)
        if line is not None and (line.tier_code, line.seats, line.interval) != (cart.tier, cart.seats, cart.interval):
            yield f"{listed.code}: its subscription to {cart.product}, which only an order changes"


def _erased(session: Session, listed: AccountListed) -> Iterator[Problem]:
    """Whoever was erased stays so. That is noticed only of those whom a file had brought, because their ids are made from their addresses."""
    known = select(Contact.email).where(Contact.account_id == account_id(listed.code), NOT_ERASED)
    known_again = set(session.scalars(known))
    for contact in listed.contacts:
        there = session.get(Contact, contact_id(listed.code, contact.email))
        if there is not None and there.erased_at is not None and contact.email not in known_again:
            yield Problem(
                listed.line,
                f"accounts.{listed.code}.contacts: {contact.email} was erased on {there.erased_at:%Y-%m-%d} (prorata people erase): "
                "remove this contact; one who wants to be a contact again is added by the upstream",
            )


_WHY_REFUSED = {
    "resource_missing": "the payment provider knows none of this name; "
    "was it made in the account, and in the mode (test or live), of PRORATA_STRIPE_API_KEY?"
}
"""by the provider's code, where that says little to a person"""


def _attach(listed: AccountListed) -> Iterator[Problem]:
    """Attach the card at the provider, once; an account that has a payment method keeps it."""
    if listed.payment_method is None:
        return
    with begin() as session:
        has_one = session.scalar(
            select(PaymentMethod.id).where(PaymentMethod.account_id == account_id(listed.code)).limit(1)
        )
    if has_one is None:
        try:
            payment_details.attach(account_id(listed.code), listed.payment_method.token)
        except PaymentMethodRefused as refused:
            why = _WHY_REFUSED.get(
                refused.code, f"the payment provider refuses it ({refused.code or 'without a reason'})"
            )
            yield Problem(listed.payment_method.line, f"accounts.{listed.code}.payment_method: {why}")


def _order(session: Session, listed: AccountListed, loaded: Loaded) -> Iterator[Problem]:
    buyer = next((contact for contact in listed.contacts if contact.is_billing_contact), None)
    for subscription in listed.subscriptions:
        key = f"accounts-file:{account_id(listed.code)}:{subscription.cart.product}"
        if session.scalar(select(Order.id).where(Order.api_key_id.is_(None), Order.idempotency_key == key)):
            continue
        where = f"accounts.{listed.code}.subscriptions"
        if buyer is None:
            yield Problem(subscription.line, f"{where}: no billing contact to order it")
            continue
        try:
            order = _place(session, listed, subscription, _id_of(session, listed, buyer), key)
        except (CartRefused, placement.RequestRefused) as refused:
            yield Problem(
                subscription.line, f"{where}: cannot be ordered as of {now() - subscription.age:%Y-%m-%d}: {refused}"
            )
        else:
            loaded.orders.setdefault(listed.code, []).append(order)


def _id_of(session: Session, listed: AccountListed, buyer: ContactListed) -> UUID:
    """Not always what the file makes of the address: the upstream may have added the contact."""
    there = Contact.account_id == account_id(listed.code), Contact.email == buyer.email, NOT_ERASED
    return session.scalars(select(Contact.id).where(*there)).one()


def _place(session: Session, listed: AccountListed, wanted: SubscriptionListed, contact: UUID, key: str) -> UUID:
    bought: datetime = now() - wanted.age
    quote = placement.quote(
        session,
        account_id=account_id(listed.code),
        contact_id=contact,
        cart=[wanted.cart],
        now=bought,
        policy=policy(),
    )
    placed = placement.place(
        session,
        quote_id=quote.id,
        account_id=account_id(listed.code),
        idempotency_key=key,
        api_key_id=None,
        now=bought,
    )
    return placed.order.id
