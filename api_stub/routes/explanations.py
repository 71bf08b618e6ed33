"""Why this amount: a quote's, or an order's, line by line in sentences."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from api_stub.access import order_of, quote_of
from api_stub.auth import OrdersReader
from api_stub.edge.head_requests import HeadRoute
from api_stub.schemas.explanations import ExplanationView, LineExplanation
from models.accounts import Account, Language
from models.invoices import OF_VAT, Invoice
from models.orders import Order, OrderLine, Quote, QuoteLine
from models.sold_to import sold_to
from models.states import AFTER_PAYMENT, FINAL, REFUNDED_BY_SUPPORT, WAITING_FOR_CUSTOMER, OrderStatus
from tasks import display_names
from tasks.billing import credited, receivables
from tasks.letters.corrected_vat import corrected_vat, still_owed
from tasks.letters.explain import explain_outcome, explain_settlement, sentences
from tasks.letters.telling import Telling
from tasks.letters.whose_vat import of_two_countries
from tasks.letters.wording import Wording
from tasks.refunds import refunded
from tasks.snapshot import begin_snapshot
from tasks.wiring import policy

router = APIRouter(prefix="/v1", route_class=HeadRoute)


@router.get("/quotes/{quote_id}/explanation", tags=["quotes"], summary="Why a quote's amount is what it is")
def explain_quote(quote_id: UUID, caller: OrdersReader) -> ExplanationView:
    with begin_snapshot() as session:
        quote = quote_of(session, caller, quote_id)
        account = session.get_one(Account, quote.account_id)
        return _explained(session, quote, quote.lines, account, language=account.language, in_effect=False)


@router.get("/orders/{order_id}/explanation", tags=["orders"], summary="Why an order's amount is what it is")
def explain_order(order_id: UUID, caller: OrdersReader) -> ExplanationView:
    with begin_snapshot() as session:
        order = order_of(session, caller, order_id, selectinload(Order.lines))
        account = session.get_one(Account, order.account_id)
        in_effect = order.status is OrderStatus.COMPLETED or order.reason == REFUNDED_BY_SUPPORT
        return _explained(session, order, order.lines, account, language=order.language, in_effect=in_effect)


def _explained(
    session: Session,
    totals: Quote | Order,
    lines: Sequence[QuoteLine] | Sequence[OrderLine],
    account: Account,
    *,
    language: Language,
    in_effect: bool,
) -> ExplanationView:
    sold = sold_to(totals, account)
    w = Wording(language, totals.currency, sold.timezone)
    names = display_names.of_lines(session, lines)
    whose_vat = of_two_countries(
        lines,
        credited.countries(session, lines),
        seller_country=policy().seller.country,
        buyer_country=sold.country,
    )
    telling = Telling(
        w=w, names=names, in_effect=in_effect, whose_vat=whose_vat, credit_timezones=sold.credit_timezones
    )
    return ExplanationView(
        language=language,
        lines=[
            LineExplanation(
                position=line.position,
                title=names.plan(line.product_code, line.tier_code),
                sentences=list(sentences(line, telling)),
            )
            for line in lines
        ],
        settlement=list(_settlement(session, w, totals)),
    )


def _settlement(session: Session, w: Wording, totals: Quote | Order) -> tuple[str, ...]:
    if isinstance(totals, Order) and _is_settled(totals):
        card, given_back = display_names.card(session, totals), refunded.anything_given_back(session, totals)
        transfer = receivables.of_own_invoice(session, totals.id)
        outcome = explain_outcome(w, totals, card=card, transfer=transfer, given_back=given_back)
        return *outcome, *_corrected(session, w, totals)
    return explain_settlement(w, totals)


def _is_settled(order: Order) -> bool:
    """Whether it has ended, or paying for it has: it is carried out then, or undone."""
    return order.status in FINAL or (order.status not in WAITING_FOR_CUSTOMER and order.next_step in AFTER_PAYMENT)


def _corrected(session: Session, w: Wording, order: Order) -> tuple[str, ...]:
    """What became of its VAT since it was completed."""
    query = select(Invoice).where(Invoice.order_id == order.id, Invoice.reason.in_(OF_VAT), Invoice.sign == 1)
    correction = session.scalar(query) if order.status is OrderStatus.COMPLETED else None
    if correction is None:
        return ()
    owed = receivables.still_open(session, [order.id]).get(order.id)
    return *corrected_vat(w, correction), *([still_owed(*owed)] if owed is not None else [])
