"""Loads an accounts file: all of it is checked, then the facts that differ are written; then the cards, at the payment provider; then an order
for each subscription.

A subscription that an account already has is ordered as any customer would order it, with effect from the day it was bought: the
same steps charge, activate and confirm it. Loading a file again applies what differs in it, leaves alone what it does not
mention, and repeats nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.account_lock import lock_account
from models.accounts import NOT_ERASED, Account, Contact, PaymentMethod
from models.catalogue import CatalogueVersion
from models.orders import Order
from models.rules import vat
from models.rules.vat import BuyerType, Treatment
from models.sold_to import SoldTo
from tasks import placement
from tasks.errors import PaymentMethodRefused, keeping
from tasks.invoices.printable import can_be_printed
from tasks.quotes.quoting import CartRefused
from tasks.upstream import payment_details
from tasks.wiring import begin, now, policy
from worker.loading import known_accounts
from worker.loading.accounts_file import (
    AccountListed,
    AccountsFile,
    ContactListed,
    SubscriptionListed,
)
from worker.loading.accounts_writing import LoadedInPart, Tell, portions, write
from worker.loading.known_accounts import Known
from worker.loading.readable_file import FileRefused, Problem


@dataclass(slots=True)
class LoadedAccounts:
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


@dataclass(frozen=True, slots=True)
class _Missing:
    """What the database lacks."""

    facts: list[AccountListed] = field(default_factory=list)
    """accounts that are new, or differ"""
    cards: list[AccountListed] = field(default_factory=list)
    """accounts without any payment method, for which the file gives one"""
    orders: list[AccountListed] = field(default_factory=list)
    """accounts with a subscription that was not ordered yet"""


def load(listed: AccountsFile, tell: Tell = lambda _: None) -> LoadedAccounts:
    """tell: is told how far it has come. Raises FileRefused, LoadedInPart.

    Raises TemporarilyUnavailable where the payment provider is down; loading again continues from there, as after any failure.
    """
    loaded = LoadedAccounts()
    missing = _check(listed, loaded, tell)
    write(listed.file, missing.facts, tell)
    with keeping(lambda: "The accounts, their contacts and balances are loaded; load the file again for the rest."):
        if problems := [problem for account in _told(missing.cards, "cards", tell) for problem in _attach(account)]:
            raise LoadedInPart(listed.file, problems, "the accounts, their contacts and balances")
        with begin() as session:
            to_order = _told(sorted(missing.orders, key=lambda account: account.id), "accounts' orders", tell)
            problems = [problem for account in to_order for problem in _order(session, account, loaded)]
            if problems:
                raise LoadedInPart(listed.file, problems, "the accounts, their contacts, balances and payment methods")
    return loaded


def _check(listed: AccountsFile, loaded: LoadedAccounts, tell: Tell) -> _Missing:
    """Compare the file with the database, without a lock. Raises FileRefused."""
    _require_catalogue(listed)
    missing, problems = _Missing(), list[Problem]()
    for portion in portions(listed.accounts, "checked", tell):
        with begin() as session:
            known = known_accounts.read(session, portion)
        for account in portion:
            if wrong := list(known.contradictions(account)):
                problems += wrong
                continue
            _note(loaded, account, known)
            if known.has_other_facts(account) or known.is_to_be_granted(account):
                missing.facts.append(account)
            if account.payment_method is not None and account.id not in known.with_card:
                missing.cards.append(account)
            if any(known.is_to_be_ordered(account, each) for each in account.subscriptions):
                missing.orders.append(account)
    if problems:
        raise FileRefused(listed.file, problems)
    return missing


def _require_catalogue(listed: AccountsFile) -> None:
    first = next((bought for account in listed.accounts for bought in account.subscriptions), None)
    if first is None:
        return
    with begin() as session:
        if session.scalar(select(CatalogueVersion.id).limit(1)) is None:
            message = (
                "nothing is sold yet, so nobody can have it: prorata catalogue load FILE first; no account was loaded"
            )
            raise FileRefused(listed.file, [Problem(first.line, message)])


def _note(loaded: LoadedAccounts, listed: AccountListed, known: Known) -> None:
    there = known.accounts.get(listed.id)
    (loaded.known if there else loaded.new).append(listed.code)
    if not listed.columns.get("address", there.address if there else "").strip():
        loaded.without_address.append(listed.code)
    loaded.not_printable += [f"{listed.code}: {said}" for said in _said_on_invoices(listed) if not can_be_printed(said)]
    if _pays_vat_in_another_currency(listed, there):
        loaded.in_another_currency.append(listed.code)
    if there is not None:
        if known.has_other_facts(listed):
            loaded.changed.append(listed.code)
        loaded.left_alone.extend(known.left_alone(listed))


def _said_on_invoices(listed: AccountListed) -> Iterator[str]:
    """What the file gives an invoice to say of its buyer."""
    yield from (listed.columns[name] for name in ("name", "address") if name in listed.columns)
    yield from (contact.name for contact in listed.contacts)


_NEW = SoldTo(country="", postcode=None, address="", buyer_type=BuyerType.BUSINESS, vat_number=None, timezone="UTC")
"""what an account is where a file says nothing of it"""


def _pays_vat_in_another_currency(listed: AccountListed, there: Account | None) -> bool:
    """As the account will be."""
    given = {each.name: listed.columns[each.name] for each in fields(SoldTo) if each.name in listed.columns}
    buyer = replace(SoldTo.today(there) if there else _NEW, **given)
    decision = buyer.vat(seller_country=policy().seller.country, at=now())
    charged = decision.treatment in (Treatment.DOMESTIC, Treatment.DESTINATION_RATE)
    return charged and listed.columns["currency"] != vat.currency_of(buyer.country)


def _told(listed: Sequence[AccountListed], what: str, tell: Tell) -> Iterator[AccountListed]:
    for number, account in enumerate(listed):
        tell(f"{number} of {len(listed)} {what} done")
        yield account


_WHY_REFUSED = {
    "resource_missing": "the payment provider knows none of this name; "
    "was it made in the account, and in the mode (test or live), of PRORATA_STRIPE_API_KEY?"
}
"""by the provider's code, where that says little to a person"""


def _attach(listed: AccountListed) -> Iterator[Problem]:
    """Attach the card at the provider, once; an account that has a payment method keeps it, also one that comes meanwhile."""
    if listed.payment_method is None:
        return
    with begin() as session:
        if _has_payment_method(session, listed.id):
            return
    try:
        stored = payment_details.store(listed.id, listed.payment_method.token)
    except PaymentMethodRefused as refused:
        why = _WHY_REFUSED.get(refused.code, f"the payment provider refuses it ({refused.code or 'without a reason'})")
        yield Problem(listed.payment_method.line, f"accounts.{listed.code}.payment_method: {why}")
        return
    with begin() as session:
        lock_account(session, listed.id)
        if not _has_payment_method(session, listed.id):
            payment_details.use(session, listed.id, stored)


def _has_payment_method(session: Session, account_id: UUID) -> bool:
    found = select(PaymentMethod.id).where(PaymentMethod.account_id == account_id).limit(1)
    return session.scalar(found) is not None


def _order(session: Session, listed: AccountListed, loaded: LoadedAccounts) -> Iterator[Problem]:
    buyer = next((contact for contact in listed.contacts if contact.is_billing_contact), None)
    for subscription in listed.subscriptions:
        key = known_accounts.order_key(listed, subscription)
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
    there = Contact.account_id == listed.id, Contact.email == buyer.email, NOT_ERASED
    return session.scalars(select(Contact.id).where(*there)).one()


def _place(session: Session, listed: AccountListed, wanted: SubscriptionListed, contact: UUID, key: str) -> UUID:
    bought: datetime = now() - wanted.age
    quote = placement.quote(
        session,
        account_id=listed.id,
        contact_id=contact,
        cart=[wanted.cart],
        now=bought,
        policy=policy(),
    )
    placed = placement.place(
        session,
        quote_id=quote.id,
        account_id=listed.id,
        idempotency_key=key,
        api_key_id=None,
        now=bought,
    )
    return placed.order.id
