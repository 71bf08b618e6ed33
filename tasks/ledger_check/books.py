"""Everything recorded about the money of some accounts, read with one query per table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import disputed_charges
from models.accounts import Account, VatCheck
from models.invoices import Invoice, InvoiceLine, Receivable
from models.ledger import Cause, LedgerMovement, cause_of
from models.orders import Order, OrderEvent, OrderLine, Quote, QuoteLine
from models.payments import ChargeAttempt, RefundAttempt
from models.states import AFTER_ACTIVATION, REFUNDED_BY_SUPPORT, AttemptStatus, OrderStatus, RefundState
from models.subscriptions import Subscription, SubscriptionPeriod
from models.timeline_kinds import CAME_BACK, WENT_BACK, Kind
from models.vat_follow_ups import VatFollowUp

BATCH = 200
"""accounts read at once"""
_OF_CHARGE: Final = {"attempt": int, "amount_minor": int}
_OF_REFUND: Final = {**_OF_CHARGE, "refund": str}
NOTES: Final[Mapping[str, Mapping[str, type]]] = {
    Kind.CHARGE_UNEXPECTED: _OF_CHARGE,
    **dict.fromkeys((*WENT_BACK, *CAME_BACK), _OF_REFUND),
}
"""kinds of timeline entries about money that came or went without our doing, and the facts that each must have, with their types"""


@dataclass(frozen=True, slots=True)
class OrderBook:
    order: Order
    quote: Quote
    """the one that was accepted last"""
    vat_follow_up: VatFollowUp | None
    vat_check: VatCheck | None
    """the registry's answer on which it rests, or by which its VAT was corrected"""
    quoted: list[QuoteLine] = field(default_factory=list)
    lines: list[OrderLine] = field(default_factory=list)
    charges: list[ChargeAttempt] = field(default_factory=list)
    refunds: list[RefundAttempt] = field(default_factory=list)
    notes: list[OrderEvent] = field(default_factory=list)
    """its timeline entries of the kinds in `NOTES`"""
    disputes: list[OrderEvent] = field(default_factory=list)
    """its timeline entries about disputes, oldest first"""
    disputes_settled: list[OrderEvent] = field(default_factory=list)
    """those that say which a person has settled"""
    settled: list[OrderEvent] = field(default_factory=list)
    """its timeline entries that a refund was made by other means, oldest first"""
    vat_taken_off: list[OrderEvent] = field(default_factory=list)
    """its timeline entries that VAT was taken off a period without a document"""
    vat_followed_up: list[OrderEvent] = field(default_factory=list)
    """its timeline entries that the registry answered late, oldest first"""
    movements: list[LedgerMovement] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)
    invoice_lines: dict[UUID, list[InvoiceLine]] = field(default_factory=dict)
    receivables: dict[UUID, Receivable] = field(default_factory=dict)
    given: dict[str, SubscriptionPeriod] = field(default_factory=dict)
    """the periods that it charged, by product"""

    @property
    def where(self) -> str:
        return f"order {self.order.number}"

    @property
    def is_active(self) -> bool:
        """Whether what it bought is active, and it is not being refunded."""
        if self.order.status in (OrderStatus.OPEN, OrderStatus.NEEDS_ATTENTION):
            return self.order.next_step in AFTER_ACTIVATION
        return self.order.status is OrderStatus.COMPLETED

    @property
    def was_active(self) -> bool:
        """Whether what it bought was ever active. Among refunded orders, that is so only for those that support refunded."""
        return self.is_active or self.order.reason == REFUNDED_BY_SUPPORT

    @property
    def called_back(self) -> bool:
        """Whether a refund of its charge failed: it may be at `refund_payment` with that step done, or have ended as refunded before."""
        charged = {charge.attempt for charge in self.charges if charge.status is AttemptStatus.SUCCEEDED}
        return any(r.charge_attempt in charged and r.status is RefundState.FAILED for r in self.refunds)

    def moved_by(self, cause: Cause) -> int:
        """The order's balance movement for this cause, in minor units; negative if taken."""
        kept_as = cause_of(self.order.id, cause)
        return sum(m.amount_minor for m in self.movements if m.cause == kept_as)


@dataclass(frozen=True, slots=True)
class Books:
    """One account's."""

    account: Account
    orders: dict[UUID, OrderBook] = field(default_factory=dict)
    movements: list[LedgerMovement] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    periods: dict[UUID, list[SubscriptionPeriod]] = field(default_factory=dict)
    """by subscription, oldest first"""
    periods_by_id: dict[UUID, SubscriptionPeriod] = field(default_factory=dict)


def read(session: Session, account_id: UUID | None = None) -> Iterator[Books]:
    """Read one account after another, or only the given one."""
    ids = _after(session, UUID(int=0)) if account_id is None else [account_id]
    while ids:
        yield from _batch(session, ids)
        session.expunge_all()
        ids = _after(session, ids[-1]) if account_id is None else []


def _after(session: Session, last: UUID) -> Sequence[UUID]:
    return session.scalars(select(Account.id).where(Account.id > last).order_by(Account.id).limit(BATCH)).all()


def _batch(session: Session, ids: Sequence[UUID]) -> list[Books]:
    accounts = select(Account).where(Account.id.in_(ids)).order_by(Account.id)
    books = {account.id: Books(account) for account in session.scalars(accounts)}
    orders: dict[UUID, OrderBook] = {}
    placed = (
        select(Order, Quote, VatFollowUp, VatCheck)
        .join(Quote, Quote.id == Order.quote_id)
        .outerjoin(VatFollowUp, VatFollowUp.order_id == Order.id)
        .outerjoin(VatCheck, VatCheck.id == func.coalesce(VatFollowUp.vat_check_id, Order.vat_check_id))
        .where(Order.account_id.in_(ids))
    )
    for order, quote, follow_up, check in session.execute(placed.order_by(Order.number)):
        book = OrderBook(order, quote, follow_up, check)
        orders[order.id] = books[order.account_id].orders[order.id] = book
    _read_quotes(session, ids, orders)
    _read_orders(session, ids, orders)
    query = select(LedgerMovement).where(LedgerMovement.account_id.in_(ids))
    for movement in session.scalars(query.order_by(LedgerMovement.currency, LedgerMovement.sequence)):
        books[movement.account_id].movements.append(movement)
        if movement.order_id in orders:
            orders[movement.order_id].movements.append(movement)
    for subscription in session.scalars(select(Subscription).where(Subscription.account_id.in_(ids))):
        books[subscription.account_id].subscriptions.append(subscription)
        books[subscription.account_id].periods[subscription.id] = []
    owners = {s.id: (b, s) for b in books.values() for s in b.subscriptions}
    of_accounts = select(Subscription.id).where(Subscription.account_id.in_(ids))
    periods = select(SubscriptionPeriod).where(SubscriptionPeriod.subscription_id.in_(of_accounts))
    for period in session.scalars(periods.order_by(SubscriptionPeriod.starts_at, SubscriptionPeriod.id)):
        owner, subscription = owners[period.subscription_id]
        owner.periods[subscription.id].append(period)
        owner.periods_by_id[period.id] = period
        if period.order_id in owner.orders:
            owner.orders[period.order_id].given[subscription.product_code] = period
    return list(books.values())


def _read_quotes(session: Session, ids: Sequence[UUID], orders: dict[UUID, OrderBook]) -> None:
    accepted = {book.quote.id: book for book in orders.values()}
    of_accounts = select(Order.quote_id).where(Order.account_id.in_(ids))
    query = select(QuoteLine).where(QuoteLine.quote_id.in_(of_accounts)).order_by(QuoteLine.position)
    for line in session.scalars(query):
        accepted[line.quote_id].quoted.append(line)


def _read_orders(session: Session, ids: Sequence[UUID], orders: dict[UUID, OrderBook]) -> None:
    of_accounts = select(Order.id).where(Order.account_id.in_(ids))
    lists: tuple[tuple[Any, str, Any], ...] = (
        (OrderLine, "lines", OrderLine.position),
        (ChargeAttempt, "charges", ChargeAttempt.attempt),
        (RefundAttempt, "refunds", RefundAttempt.attempt),
        (Invoice, "invoices", Invoice.id),
    )
    for table, name, order_by in lists:
        for row in session.scalars(select(table).where(table.order_id.in_(of_accounts)).order_by(order_by)):
            getattr(orders[row.order_id], name).append(row)
    others = (Kind.DISPUTE_SETTLED, Kind.REFUND_SETTLED_OUTSIDE, Kind.VAT_TAKEN_OFF, Kind.VAT_FOLLOWED_UP)
    kinds = (*NOTES, *disputed_charges.KINDS, *others)
    notes = select(OrderEvent).where(OrderEvent.order_id.in_(of_accounts), OrderEvent.kind.in_(kinds))
    for event in session.scalars(notes.order_by(OrderEvent.id)):
        book = orders[event.order_id]
        lists_of: dict[str, list[OrderEvent]] = {
            Kind.CHARGE_DISPUTED: book.disputes,
            Kind.DISPUTE_CLOSED: book.disputes,
            Kind.DISPUTE_SETTLED: book.disputes_settled,
            Kind.REFUND_SETTLED_OUTSIDE: book.settled,
            Kind.VAT_TAKEN_OFF: book.vat_taken_off,
            Kind.VAT_FOLLOWED_UP: book.vat_followed_up,
        }
        lists_of.get(event.kind, book.notes).append(event)
    issued = {document.id: book for book in orders.values() for document in book.invoices}
    of_orders = select(Invoice.id).where(Invoice.order_id.in_(of_accounts))
    query = select(InvoiceLine).where(InvoiceLine.invoice_id.in_(of_orders)).order_by(InvoiceLine.position)
    for line in session.scalars(query):
        issued[line.invoice_id].invoice_lines.setdefault(line.invoice_id, []).append(line)
    for receivable in session.scalars(select(Receivable).where(Receivable.invoice_id.in_(of_orders))):
        issued[receivable.invoice_id].receivables[receivable.invoice_id] = receivable
