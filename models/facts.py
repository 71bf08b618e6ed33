"""What the rules need to know of an account, read from the tables into the rules' own plain values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from models.accounts import Account, AccountKind, Contact
from models.catalogue import CatalogueVersion, Price, Product, Tier
from models.rules.cart import Buyer, HeldSubscription, Offer
from models.rules.period import Period
from models.rules.quote import RunningPeriod
from models.states import SubscriptionStatus
from models.subscriptions import SeatAssignment, Subscription, SubscriptionPeriod, Trial


class UnknownAccount(LookupError):
    """There is no such account."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that decides about a cart, as of one instant."""

    account: Account
    contact: Contact | None
    buyer: Buyer
    offers: Mapping[str, Offer]
    running: Mapping[str, RunningPeriod]
    subscriptions: Mapping[str, Subscription]


def load(
    session: Session,
    *,
    account_id: UUID,
    contact_id: UUID | None,
    products: Iterable[str],
    as_of: datetime,
    priced_at: datetime | None = None,
) -> Facts:
    """Read what decides about a cart with these `products`: periods as of `as_of`, prices as of `priced_at`. Raises UnknownAccount."""
    account = session.get(Account, account_id, options=[selectinload(Account.contacts)])
    if account is None:
        raise UnknownAccount(f"there is no account {account_id}")
    codes = sorted(set(products))
    subscriptions = _subscriptions(session, account_id, codes)
    contact = next((c for c in account.contacts if c.id == contact_id), None)
    offers = _offers(session, codes, account.currency, priced_at or as_of)
    return Facts(
        account=account,
        contact=contact,
        buyer=Buyer(
            corporate=account.kind is AccountKind.CORPORATE,
            is_billing_contact=contact is not None and contact.is_billing_contact,
            billing_contacts=tuple(f"{c.name} <{c.email}>" for c in account.contacts if c.is_billing_contact),
            held=_held(session, subscriptions, offers, as_of),
            trials_used=_trials_used(session, account_id, codes),
        ),
        offers=offers,
        running=_running(session, subscriptions),
        subscriptions=subscriptions,
    )


def _subscriptions(session: Session, account_id: UUID, codes: list[str]) -> dict[str, Subscription]:
    query = select(Subscription).where(Subscription.account_id == account_id, Subscription.product_code.in_(codes))
    return {subscription.product_code: subscription for subscription in session.scalars(query)}


def _offers(session: Session, codes: list[str], currency: str, as_of: datetime) -> dict[str, Offer]:
    version = (
        select(CatalogueVersion.id)
        .where(CatalogueVersion.effective_from <= as_of)
        .order_by(CatalogueVersion.effective_from.desc(), CatalogueVersion.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    products = session.scalars(select(Product).where(Product.code.in_(codes))).all()
    tiers = session.scalars(select(Tier).where(Tier.product_code.in_(codes))).all()
    prices = session.scalars(
        select(Price).where(Price.product_code.in_(codes), Price.currency == currency, Price.version_id == version)
    ).all()
    return {
        product.code: Offer(
            tier_ranks={t.code: t.rank for t in tiers if t.product_code == product.code},
            prices={(p.tier_code, p.interval): p.unit_minor for p in prices if p.product_code == product.code},
            trial_days=product.trial_days,
        )
        for product in products
    }


def assigned_users(session: Session, subscription_ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """Who sits on the seats of each subscription, the most recently assigned first."""
    query = (
        select(SeatAssignment.subscription_id, SeatAssignment.user_email)
        .where(SeatAssignment.subscription_id.in_(list(subscription_ids)), SeatAssignment.unassigned_at.is_(None))
        .order_by(SeatAssignment.assigned_at.desc(), SeatAssignment.user_email)
    )
    found: dict[UUID, list[str]] = {}
    for subscription_id, email in session.execute(query):
        found.setdefault(subscription_id, []).append(email)
    return found


def _held(
    session: Session, subscriptions: Mapping[str, Subscription], offers: Mapping[str, Offer], as_of: datetime
) -> dict[str, HeldSubscription]:
    assigned = assigned_users(session, (s.id for s in subscriptions.values()))
    return {
        product: HeldSubscription(
            status=s.status.value,
            tier=s.tier_code,
            tier_rank=offers[product].tier_ranks[s.tier_code],
            seats=s.seats,
            interval=s.interval,
            assigned=tuple(assigned.get(s.id, ())),
            period_over=s.period_end <= as_of,
        )
        for product, s in subscriptions.items()
    }


def _running(session: Session, subscriptions: Mapping[str, Subscription]) -> dict[str, RunningPeriod]:
    by_id = {s.id: s for s in subscriptions.values()}
    query = select(SubscriptionPeriod).where(
        SubscriptionPeriod.subscription_id.in_(by_id), SubscriptionPeriod.closed_at.is_(None)
    )
    return {
        by_id[p.subscription_id].product_code: RunningPeriod(
            id=p.id,
            tier=p.tier_code,
            seats=p.seats,
            interval=p.interval,
            period=Period(p.starts_at, p.ends_at),
            charged_minor=p.charged_minor,
            tax_minor=p.tax_minor,
            tax_rate=p.tax_rate,
        )
        for p in session.scalars(query)
        if by_id[p.subscription_id].status in (SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING)
    }


def _trials_used(session: Session, account_id: UUID, codes: list[str]) -> frozenset[str]:
    query = select(Trial.product_code).where(Trial.account_id == account_id, Trial.product_code.in_(codes))
    return frozenset(session.scalars(query))
