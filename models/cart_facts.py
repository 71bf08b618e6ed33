"""The facts that determine a cart's price, read from the tables as plain values for the rules: account, subscriptions, balance, catalogue."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, String, and_, any_, bindparam, exists, func, select
from sqlalchemy.orm import Session, aliased

from models import refunded_elsewhere
from models.accounts import Account, AccountKind, Contact
from models.disputed_charges import is_paid_with_taken
from models.errors import Unknown
from models.ledger import LedgerMovement
from models.offers import AS_OF, Edition, Sold, sold
from models.orders import Order
from models.prepared import Prepared
from models.rules.cart import Buyer, HeldSubscription, Offer
from models.rules.period import Period
from models.rules.quoted_line import RunningPeriod
from models.rules.refusals import MOST_NAMED
from models.subscriptions import RUNS, SITS, SeatAssignment, Subscription, SubscriptionPeriod, Trial


class UnknownAccount(Unknown):
    """There is no such account."""


@dataclass(frozen=True, slots=True)
class CartFacts:
    """The facts that determine a cart's price, as of one instant."""

    account: Account
    contact: Contact | None
    buyer: Buyer
    sold: Sold
    offers: Mapping[str, Offer]
    """for those of the cart's products that are sold"""
    running: Mapping[str, RunningPeriod]
    """by product, the open period. A trial's may have ended before the instant: compare its end"""
    subscriptions: Mapping[str, Subscription]
    balance_minor: int
    """in the account's currency"""


def load(
    session: Session,
    *,
    account_id: UUID,
    contact_id: UUID | None,
    products: Iterable[str],
    as_of: datetime,
    priced_at: datetime | None = None,
) -> CartFacts:
    """Read the facts for a cart with these `products`: periods as of `as_of`, prices and which trials are over as of `priced_at`. Raises UnknownAccount."""
    codes, priced_at = sorted(set(products)), priced_at or as_of
    params = {"account_id": account_id, "contact_id": contact_id, "priced_at": priced_at}
    row = _ACCOUNT.one_or_none(session, params)
    if row is None:
        raise UnknownAccount(f"there is no account {account_id}")
    read = _AccountRow(*row)
    catalogue = sold(session, read.edition, read.account.currency)
    held = _held_rows(session, account_id, codes) if read.has_subscriptions else {}
    return CartFacts(
        account=read.account,
        contact=read.contact,
        buyer=_buyer(read, held, catalogue.offers, codes, as_of=as_of, today=priced_at),
        sold=catalogue,
        offers={code: catalogue.offers[code] for code in codes if code in catalogue.offers},
        running={code: _running(each.period, each) for code, each in held.items() if each.period},
        subscriptions={code: each.subscription for code, each in held.items()},
        balance_minor=read.balance_minor or 0,
    )


class _AccountRow(NamedTuple):
    """The columns that `_ACCOUNT` selects."""

    account: Account
    contact: Contact | None
    billing_contacts: list[str]
    has_subscriptions: bool
    trials_used: list[str]
    balance_minor: int | None
    in_force: int | None
    newest: int | None
    newest_loaded_at: datetime | None

    @property
    def edition(self) -> Edition:
        return Edition(self.in_force, self.newest, self.newest_loaded_at)


class _HeldRow(NamedTuple):
    """The columns that `_HELD` selects."""

    subscription: Subscription
    period: SubscriptionPeriod | None
    """the running one"""
    assigned: int
    most_recent: list[str]
    charged_in: str | None
    """the time zone of the order that charged the period; None where that was not kept"""
    taken_back: bool
    """whether the customer's bank has what paid for the period"""
    refunded_minor: int
    """what went back of that in the provider's dashboard"""


# Run for every quote and twice for every order, so built once. However many people an account has, it returns few rows.
_Billing = aliased(Contact)
_ACCOUNT = Prepared[
    Account, Contact | None, list[str], bool, list[str], int | None, int | None, int | None, datetime | None
](
    select(
        Account,
        Contact,
        func.array(
            select(_Billing.name + " <" + _Billing.email + ">")
            .where(_Billing.account_id == Account.id, _Billing.is_billing_contact)
            .order_by(_Billing.name)
            .limit(MOST_NAMED)
            .scalar_subquery()
        ),
        exists().where(Subscription.account_id == Account.id),
        func.array(select(Trial.product_code).where(Trial.account_id == Account.id).scalar_subquery()),
        select(LedgerMovement.balance_minor)
        .where(LedgerMovement.account_id == Account.id, LedgerMovement.currency == Account.currency)
        .order_by(LedgerMovement.sequence.desc())
        .limit(1)
        .scalar_subquery(),
        *AS_OF,
    )
    .outerjoin(Contact, and_(Contact.account_id == Account.id, Contact.id == bindparam("contact_id")))
    .where(Account.id == bindparam("account_id")),
    Account,
    Contact,
)
_HELD = Prepared[Subscription, SubscriptionPeriod | None, int, list[str], str | None, bool, int](
    select(
        Subscription,
        SubscriptionPeriod,
        select(func.count())
        .select_from(SeatAssignment)
        .where(SeatAssignment.subscription_id == Subscription.id, SITS)
        .scalar_subquery(),
        func.array(
            select(SeatAssignment.user_email)
            .where(SeatAssignment.subscription_id == Subscription.id, SITS)
            # Times have whole seconds; ids rise within one.
            .order_by(SeatAssignment.assigned_at.desc(), SeatAssignment.id.desc())
            .limit(MOST_NAMED)
            .scalar_subquery()
        ),
        select(Order.sold_to["timezone"].astext)
        .where(Order.id == SubscriptionPeriod.order_id)
        .correlate(SubscriptionPeriod)
        .scalar_subquery(),
        is_paid_with_taken(),
        refunded_elsewhere.of_period(),
    )
    .outerjoin(
        SubscriptionPeriod,
        and_(SubscriptionPeriod.subscription_id == Subscription.id, RUNS),
    )
    .where(
        Subscription.account_id == bindparam("account_id"),
        Subscription.product_code == any_(bindparam("products", type_=ARRAY(String))),
    ),
    Subscription,
    SubscriptionPeriod,
)


def _held_rows(session: Session, account_id: UUID, products: list[str]) -> dict[str, _HeldRow]:
    """By product."""
    rows = [_HeldRow(*row) for row in _HELD.all(session, {"account_id": account_id, "products": products})]
    return {row.subscription.product_code: row for row in rows}


def _buyer(
    read: _AccountRow,
    held: Mapping[str, _HeldRow],
    offers: Mapping[str, Offer],
    products: Iterable[str],
    *,
    as_of: datetime,
    today: datetime,
) -> Buyer:
    return Buyer(
        corporate=read.account.kind is AccountKind.CORPORATE,
        is_billing_contact=read.contact is not None and read.contact.is_billing_contact,
        billing_contacts=tuple(read.billing_contacts),
        held={code: _held(row, offers[code], as_of, today) for code, row in held.items()},
        trials_used=frozenset(read.trials_used).intersection(products),
    )


def _held(row: _HeldRow, offer: Offer, as_of: datetime, today: datetime) -> HeldSubscription:
    subscription = row.subscription
    return HeldSubscription(
        status=subscription.status_at(today),
        tier=subscription.tier_code,
        tier_rank=offer.tier_ranks[subscription.tier_code],
        seats=subscription.seats,
        interval=subscription.interval,
        assigned=row.assigned,
        most_recent=tuple(row.most_recent),
        period_over=subscription.period_end <= as_of,
        taken_back=row.taken_back,
    )


def _running(period: SubscriptionPeriod, row: _HeldRow) -> RunningPeriod:
    return RunningPeriod(
        id=period.id,
        tier=period.tier_code,
        seats=period.seats,
        interval=period.interval,
        period=Period(period.starts_at, period.ends_at),
        charged_minor=period.charged_minor,
        tax_minor=period.tax_minor,
        tax_rate=period.tax_rate,
        timezone=row.charged_in,
        refunded_minor=row.refunded_minor,
    )
