"""Reads the books of accounts, by so many orders at once and with one query per table: memory hardly grows with them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from models.accounts import Account, VatCheck
from models.invoices import Invoice, InvoiceLine, Receivable
from models.ledger import LedgerMovement
from models.orders import Order, OrderEvent, OrderLine, Quote, QuoteLine
from models.payments import ChargeAttempt, RefundAttempt
from models.subscriptions import Subscription, SubscriptionPeriod
from models.timeline_kinds import DISPUTED, Kind
from models.vat_follow_ups import VatFollowUp
from tasks.ledger_check.books import NOTES, Books, Movement, OrderBook, PeriodBook, SubscriptionBook

BATCH = 200
"""accounts read at once, unless they have more than `ORDERS` orders together"""
ORDERS: Final = 1000
"""orders read at once, each with all that belongs to it: some 20 KB"""


def read(session: Session, account_id: UUID | None = None) -> Iterator[Books]:
    """Read one account after another, or only the given one."""
    for ids in _batches(session) if account_id is None else ([account_id],):
        movements = _by_account(_movements(session, ids), ids)
        orders = _by_account(_orders(session, ids), ids)
        subscriptions = _by_account(_subscriptions(session, ids), ids)
        yield from map(Books, ids, movements, orders, subscriptions)


def _batches(session: Session) -> Iterator[list[UUID]]:
    """All accounts. One with very many orders is a batch of its own."""
    count = select(func.count()).where(Order.account_id == Account.id).scalar_subquery()
    query, last = select(Account.id, count).order_by(Account.id).limit(BATCH), UUID(int=0)
    while counted := session.execute(query.where(Account.id > last)).all():
        batch, held = list[UUID](), 0
        for last, orders in counted:
            if batch and held + orders > ORDERS:
                yield batch
                batch, held = [], 0
            batch.append(last)
            held += orders
        yield batch


Of = TypeVar("Of")


def _by_account(rows: Iterable[tuple[UUID, Of]], ids: Sequence[UUID]) -> Iterator[Iterator[Of]]:
    """For each account its rows; both come in the order of the ids."""
    groups = groupby(rows, key=itemgetter(0))
    group = next(groups, None)
    for account_id in ids:
        if group is not None and group[0] == account_id:
            yield (row for _, row in group[1])
            group = next(groups, None)
        else:
            yield iter(())


def _movements(session: Session, ids: Sequence[UUID]) -> Iterator[tuple[UUID, Movement]]:
    names = Movement._fields[:-1]
    of_account = and_(Order.id == LedgerMovement.order_id, Order.account_id == LedgerMovement.account_id)
    query = (
        select(LedgerMovement.account_id, *(getattr(LedgerMovement, name) for name in names), Order.id.is_not(None))
        .outerjoin(Order, of_account)
        .where(LedgerMovement.account_id.in_(ids))
        .order_by(LedgerMovement.account_id, LedgerMovement.currency, LedgerMovement.sequence)
    )
    for account_id, *row in session.execute(query.execution_options(yield_per=ORDERS)):
        yield account_id, Movement(*row)


def _subscriptions(
    session: Session, ids: Sequence[UUID]
) -> Iterator[tuple[UUID, tuple[SubscriptionBook, list[PeriodBook]]]]:
    names = SubscriptionBook._fields
    query = (
        select(
            Subscription.account_id,
            *(getattr(Subscription, name) for name in names),
            *(getattr(SubscriptionPeriod, name) for name in PeriodBook._fields),
        )
        .outerjoin(SubscriptionPeriod, SubscriptionPeriod.subscription_id == Subscription.id)
        .where(Subscription.account_id.in_(ids))
        .order_by(Subscription.account_id, Subscription.id, SubscriptionPeriod.starts_at, SubscriptionPeriod.id)
    )
    rows = session.execute(query.execution_options(yield_per=ORDERS))
    end = 1 + len(names)
    for (account_id, *subscription), periods in groupby(rows, key=lambda row: row[:end]):
        read = [PeriodBook(*row[end:]) for row in periods if row[end] is not None]
        yield account_id, (SubscriptionBook(*subscription), read)


def _orders(session: Session, ids: Sequence[UUID]) -> Iterator[tuple[UUID, OrderBook]]:
    placed = (
        select(Order, Quote, VatFollowUp, VatCheck)
        .join(Quote, Quote.id == Order.quote_id)
        .outerjoin(VatFollowUp, VatFollowUp.order_id == Order.id)
        .outerjoin(VatCheck, VatCheck.id == func.coalesce(VatFollowUp.vat_check_id, Order.vat_check_id))
        .where(Order.account_id.in_(ids))
        .order_by(Order.account_id, Order.number)
    )
    for rows in session.execute(placed.execution_options(yield_per=ORDERS)).partitions():
        orders = {order.id: OrderBook(order, quote, follow_up, check) for order, quote, follow_up, check in rows}
        _read_quotes(session, orders)
        _read_orders(session, orders)
        _read_periods(session, orders)
        for book in orders.values():
            yield book.order.account_id, book


def _read_quotes(session: Session, orders: dict[UUID, OrderBook]) -> None:
    accepted = {book.quote.id: book for book in orders.values()}
    query = select(QuoteLine).where(QuoteLine.quote_id == func.any(list(accepted))).order_by(QuoteLine.position)
    for line in session.scalars(query):
        accepted[line.quote_id].quoted.append(line)


def _read_orders(session: Session, orders: dict[UUID, OrderBook]) -> None:
    ids = list(orders)
    lists: tuple[tuple[Any, str, Any], ...] = (
        (OrderLine, "lines", OrderLine.position),
        (ChargeAttempt, "charges", ChargeAttempt.attempt),
        (RefundAttempt, "refunds", RefundAttempt.attempt),
        (Invoice, "invoices", Invoice.id),
    )
    for table, name, order_by in lists:
        for row in session.scalars(select(table).where(table.order_id == func.any(ids)).order_by(order_by)):
            getattr(orders[row.order_id], name).append(row)
    others = (Kind.DISPUTE_SETTLED, Kind.REFUND_SETTLED_OUTSIDE, Kind.VAT_TAKEN_OFF, Kind.VAT_FOLLOWED_UP)
    kinds = (*NOTES, *DISPUTED, *others)
    notes = select(OrderEvent).where(OrderEvent.order_id == func.any(ids), OrderEvent.kind.in_(kinds))
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
    is_theirs = func.any(list(issued))
    query = select(InvoiceLine).where(InvoiceLine.invoice_id == is_theirs).order_by(InvoiceLine.position)
    for line in session.scalars(query):
        issued[line.invoice_id].invoice_lines.setdefault(line.invoice_id, []).append(line)
    for receivable in session.scalars(select(Receivable).where(Receivable.invoice_id == is_theirs)):
        issued[receivable.invoice_id].receivables[receivable.invoice_id] = receivable
    of_account = and_(LedgerMovement.order_id == Order.id, LedgerMovement.account_id == Order.account_id)
    movements = select(Order.id, LedgerMovement).join(LedgerMovement, of_account).where(Order.id == func.any(ids))
    for order_id, movement in session.execute(movements):
        orders[order_id].movements.append(movement)


def _read_periods(session: Session, orders: dict[UUID, OrderBook]) -> None:
    given = (
        select(SubscriptionPeriod.order_id, Subscription.account_id, Subscription.product_code)
        .join(Subscription, Subscription.id == SubscriptionPeriod.subscription_id)
        .where(SubscriptionPeriod.order_id == func.any(list(orders)))
    )
    for order_id, account_id, product_code in session.execute(given):
        if account_id == orders[order_id].order.account_id:
            orders[order_id].given.add(product_code)
    lines = [(book, line.from_period_id) for book in orders.values() for line in book.lines if line.from_period_id]
    of_account = and_(Order.id == SubscriptionPeriod.order_id, Order.account_id == Subscription.account_id)
    credited = (
        select(SubscriptionPeriod, Subscription.account_id, Order)
        .join(Subscription, Subscription.id == SubscriptionPeriod.subscription_id)
        .outerjoin(Order, of_account)
        .where(SubscriptionPeriod.id == func.any([period_id for _, period_id in lines]))
    )
    found = {(row[1], row[0].id): (row[0], row[2]) for row in session.execute(credited)}
    for book, period_id in lines:
        if (period := found.get((book.order.account_id, period_id))) is not None:
            book.credited[period_id] = period
