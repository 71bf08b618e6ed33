"""An order's history, for an operator: its status, every try, every letter, every document, every movement of money."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session, selectinload

from models.accounts import CUSTOMER, Account, PaymentMethod, VatCheck
from models.invoices import Invoice, Receivable
from models.ledger import LedgerMovement
from models.messages import SentLetter
from models.orders import LETTER_REFUSED, Order, OrderEvent
from models.payments import ChargeAttempt, RefundAttempt
from models.states import LetterStatus, OrderStatus
from models.vat_follow_ups import VatFollowUp
from tasks.operating.order_at_hand import UnknownOrder

_OF_A_DOCUMENT = re.compile(r"[A-Z]+-\d{4}-\d+")


@dataclass(frozen=True, slots=True)
class Story:
    order: Order
    account: Account
    charges: Sequence[ChargeAttempt]
    customers: Sequence[str]
    """the provider's ids of the customers that it was, or may have been, charged to"""
    refunds: Sequence[RefundAttempt]
    letters: Sequence[SentLetter]
    movements: Sequence[LedgerMovement]
    documents: Sequence[tuple[Invoice, Receivable | None]]
    """each with what is, or was, owed on it by transfer"""
    vat_checks: Sequence[VatCheck]
    """the answer of the VAT registry that it rests on, and the one that came after an outage"""
    events: Sequence[OrderEvent]


def find(session: Session, which: str) -> UUID:
    """The id of an order. which: its number, its id, or the number of one of its documents. Raises UnknownOrder."""
    document = which.strip().upper()
    if _OF_A_DOCUMENT.fullmatch(document):
        order_id = session.scalar(select(Invoice.order_id).where(Invoice.number == document))
        if order_id is None:
            raise UnknownOrder(f"there is no document {document}")
        return order_id
    is_number = which.isascii() and which.isdigit() and len(which) < 19  # what fits a bigint
    condition = Order.number == int(which) if is_number else Order.id == _id(which)
    order_id = session.scalar(select(Order.id).where(condition))
    if order_id is None:
        raise UnknownOrder(f"there is no order {which}")
    return order_id


def listing(
    session: Session,
    *,
    statuses: Sequence[OrderStatus] = (),
    account_id: UUID | None = None,
    undeliverable: bool = False,
    limit: int = 50,
) -> list[tuple[Order, str]]:
    """The newest orders with the names of their accounts. undeliverable: only those with a letter that was refused for good."""
    query = select(Order, Account.name).join(Account, Account.id == Order.account_id).options(selectinload(Order.lines))
    if statuses:
        query = query.where(Order.status.in_(statuses))
    if account_id is not None:
        query = query.where(Order.account_id == account_id)
    if undeliverable:
        noted = select(OrderEvent.order_id).where(text(LETTER_REFUSED))  # a letter has no index of its status
        refused = SentLetter.status == LetterStatus.UNDELIVERABLE
        still = select(SentLetter.order_id).where(SentLetter.order_id == Order.id, refused).exists()
        query = query.where(Order.id.in_(noted), still)
    return [(row[0], row[1]) for row in session.execute(query.order_by(Order.number.desc()).limit(limit))]


def tell(session: Session, order_id: UUID) -> Story:
    """The order's history. Raises UnknownOrder."""
    order = session.get(Order, order_id, options=[selectinload(Order.lines)])
    if order is None:
        raise UnknownOrder(f"there is no order {order_id}")

    return Story(
        order=order,
        account=session.get_one(Account, order.account_id),
        charges=session.scalars(
            select(ChargeAttempt).where(ChargeAttempt.order_id == order_id).order_by(ChargeAttempt.attempt)
        ).all(),
        customers=_customers(session, order),
        refunds=session.scalars(
            select(RefundAttempt).where(RefundAttempt.order_id == order_id).order_by(RefundAttempt.attempt)
        ).all(),
        letters=session.scalars(
            select(SentLetter).where(SentLetter.order_id == order_id).order_by(SentLetter.created_at)
        ).all(),
        movements=session.scalars(
            select(LedgerMovement).where(LedgerMovement.order_id == order_id).order_by(LedgerMovement.sequence)
        ).all(),
        documents=[
            (row[0], row[1])
            for row in session.execute(
                select(Invoice, Receivable)
                .outerjoin(Receivable, Receivable.invoice_id == Invoice.id)
                .where(Invoice.order_id == order_id)
                .order_by(Invoice.id)
                .options(selectinload(Invoice.lines))
            )
        ],
        vat_checks=_vat_checks(session, order),
        events=session.scalars(select(OrderEvent).where(OrderEvent.order_id == order_id).order_by(OrderEvent.id)).all(),
    )


def _customers(session: Session, order: Order) -> list[str]:
    charged = select(CUSTOMER).select_from(ChargeAttempt)
    charged = charged.join(PaymentMethod, PaymentMethod.id == ChargeAttempt.payment_method_id)
    charged = charged.join(Account, Account.id == PaymentMethod.account_id).where(ChargeAttempt.order_id == order.id)
    own = select(Account.customer_ref).where(Account.id == order.account_id)
    return [ref for ref in session.scalars(charged.union(own)) if ref is not None]


def _vat_checks(session: Session, order: Order) -> Sequence[VatCheck]:
    late = select(VatFollowUp.vat_check_id).where(VatFollowUp.order_id == order.id)
    of_the_order = or_(VatCheck.id == order.vat_check_id, VatCheck.id.in_(late))
    return session.scalars(select(VatCheck).where(of_the_order).order_by(VatCheck.asked_at)).all()


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise UnknownOrder(f"{text!r} is neither an order's number nor its id, nor a document's number") from None
