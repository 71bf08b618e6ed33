"""An order as its customer sees it, read from the tables."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from api_stub.access import order_of
from api_stub.schemas.amounts import Money, money
from api_stub.schemas.invoices import StillOwed
from api_stub.schemas.lines import line_view
from api_stub.schemas.orders import ChargeView, OrderedView, OrderSummary, OrderView, PaymentView, RefundView, VatView
from api_stub.schemas.quotes import QuoteView, totals_view
from api_stub.views import owed_view, quote_view
from api_stub.views.reasons import next_step, reason_of, waits_until, where_it_stands
from api_stub.views.timeline import event_view
from models.accounts import Account, VatCheck, VatCheckStatus
from models.orders import Order, OrderEvent, Quote
from models.payments import ChargeAttempt, RefundAttempt
from models.sold_to import sold_to
from models.states import FINAL, AttemptStatus, OrderStatus, RefundState
from models.vat_follow_ups import VatFollowUp
from tasks.billing import receivables
from tasks.upstream.callers import Caller
from tasks.vat import number_instead


def view(session: Session, caller: Caller, order_id: UUID) -> OrderView:
    """Raises Problem 404."""
    # The timeline first, for callers that do not read in one snapshot: following catches up with a newer status, never with a newer timeline.
    events = session.scalars(select(OrderEvent).where(OrderEvent.order_id == order_id).order_by(OrderEvent.id)).all()
    order = order_of(session, caller, order_id, selectinload(Order.lines))
    owed = receivables.still_open(session, [order.id]).get(order.id)
    instead = number_instead.instead(session, order)
    text = where_it_stands(session, order, owed, instead)
    return OrderView(
        id=order.id,
        number=order.number,
        account_id=order.account_id,
        contact_id=order.contact_id,
        quote_id=order.quote_id,
        status=order.status,
        final=order.status in FINAL,
        status_text=text,
        reason=reason_of(order, text),
        next=next_step(session, order, text, _fresh_quote(session, order), instead),
        waits_until=waits_until(session, order),
        lines=[line_view(line, order.currency, order.language) for line in order.lines],
        totals=totals_view(order, order.language),
        payment=_payment(session, order),
        owed=owed_view.view(*owed) if owed is not None else None,
        vat=_vat(session, order),
        timeline=[event_view(event) for event in events],
        as_of=order.as_of,
        cancel_requested_at=order.cancel_requested_at,
        created_at=order.created_at,
        finished_at=order.finished_at,
    )


def summary(order: Order, owed: StillOwed | None) -> OrderSummary:
    """The order's lines must be loaded."""
    return OrderSummary(
        id=order.id,
        number=order.number,
        account_id=order.account_id,
        status=order.status,
        final=order.status in FINAL,
        reason_code=order.reason,
        products=[
            OrderedView(
                action=line.action,
                product=line.product_code,
                tier=line.tier_code,
                seats=line.seats,
                interval=line.interval,
            )
            for line in order.lines
        ],
        total=money(order.total_minor, order.currency, order.language),
        due=money(order.due_minor, order.currency, order.language),
        owed=owed,
        created_at=order.created_at,
        finished_at=order.finished_at,
    )


def _fresh_quote(session: Session, order: Order) -> QuoteView | None:
    if order.status is not OrderStatus.AWAITING_CONFIRMATION or order.proposed_quote_id is None:
        return None
    query = select(Quote).where(Quote.id == order.proposed_quote_id).options(selectinload(Quote.lines))
    return quote_view.view(session, session.scalars(query).one(), order.language)


def _payment(session: Session, order: Order) -> PaymentView:
    charges = session.scalars(
        select(ChargeAttempt).where(ChargeAttempt.order_id == order.id).order_by(ChargeAttempt.attempt)
    ).all()
    refunds = session.scalars(
        select(RefundAttempt).where(RefundAttempt.order_id == order.id).order_by(RefundAttempt.attempt)
    ).all()
    taken = {charge.attempt: charge for charge in charges if charge.status is AttemptStatus.SUCCEEDED}
    return PaymentView(
        kind=order.payment_kind,
        invoice_due_at=order.payment_due_at,
        invoice_due_on=_invoice_due_on(session, order),
        charged=_sum(order, [charge.amount_minor for charge in taken.values()]),
        # Money taken by an attempt that was given up is refunded by itself: it was never the order's.
        refunded=_sum(
            order,
            [r.amount_minor for r in refunds if r.status is RefundState.SUCCEEDED and r.charge_attempt in taken],
        ),
        charges=[
            ChargeView(
                attempt=charge.attempt,
                amount=_sum(order, [charge.amount_minor]),
                status=charge.status,
                decline_code=charge.decline_code,
                created_at=charge.created_at,
            )
            for charge in charges
        ],
        refunds=[
            RefundView(
                charge_attempt=refund.charge_attempt,
                amount=_sum(order, [refund.amount_minor]),
                status=refund.status,
                created_at=refund.created_at,
            )
            for refund in refunds
        ],
    )


def _invoice_due_on(session: Session, order: Order) -> date | None:
    if order.payment_due_at is None:
        return None
    place = sold_to(order, session.get_one(Account, order.account_id))
    return receivables.due_on(order.payment_due_at, place.timezone)


def _vat(session: Session, order: Order) -> VatView:
    asked_again = select(VatCheck.status, VatFollowUp.outcome).join(VatCheck, VatCheck.id == VatFollowUp.vat_check_id)
    row = session.execute(asked_again.where(VatFollowUp.order_id == order.id)).one_or_none()
    answer, outcome = (None, None) if row is None else row
    return VatView(
        number=order.vat_number,
        provisional=order.vat_provisional,
        set_aside=order.vat_set_aside,
        answer=answer if answer is not VatCheckStatus.UNAVAILABLE else None,
        outcome=outcome,
    )


def _sum(order: Order, amounts: Sequence[int]) -> Money:
    return money(sum(amounts), order.currency, order.language)
