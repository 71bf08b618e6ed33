"""What a customer does about an order that waits: pay another way, accept the fresh quote, cancel."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session

from api_stub.access import order_of
from api_stub.auth import OrdersWriter
from api_stub.edge.json_bodies import JsonRoute
from api_stub.edge.no_body import NoBody
from api_stub.problems import refusals
from api_stub.problems.problem_types import refuses
from api_stub.routes import payment_methods
from api_stub.schemas.orders import ConfirmationWanted, OrderView, PaymentMethodWanted
from api_stub.views import order_view
from models.orders import Order
from tasks import placement
from tasks.upstream import continuing, granted_requests, who_orders
from tasks.wiring import begin, exact_now, now

router = APIRouter(prefix="/v1/orders/{order_id}", tags=["orders"], route_class=JsonRoute)


@router.post(
    "/payment-method",
    summary="Give a payment method and try again",
    responses=refuses("not-waiting", "payment-method-refused", "too-many-declines", "not-a-billing-contact"),
)
def give_payment_method(
    order_id: UUID, wanted: PaymentMethodWanted, caller: OrdersWriter, request: Request
) -> OrderView:
    """The method becomes the account's, and the order that waits for it goes on with a new charge. Whoever may order may do so.
    Where the order does not wait for it (any more), the account keeps the method that it has.

    May be sent again after a lost answer: what made the order go on before is answered as the order stands now, and nothing is done
    twice. Once the order waits for payment details again, the same is another try. With a `contact_id` that is not the order's, it is not the same.
    """
    with begin() as session:
        seen = granted_requests.newest_entry(session, order_id)  # first: what is written meanwhile counts as not seen
        order = order_of(session, caller, order_id)
        if not continuing.waits_for_payment(session, order, token=wanted.token, contact_id=wanted.contact_id):
            return order_view.view(session, caller, order_id)
        with _told_who_may(session, order, at="/contact_id"):  # before the card is stored
            who_orders.require(session, order, wanted.contact_id)
    token, stored = wanted.token, None
    if token is not None:
        stored = payment_methods.store(order.account_id, token, order.language)
    with begin() as session:
        with _told_who_may(session, order, at="/contact_id"):
            placement.pay_again(
                session, order_id=order_id, token=token, stored=stored, seen=seen, contact_id=wanted.contact_id
            )
        answer = order_view.view(session, caller, order_id)
    request.app.state.publisher.nudge()
    return answer


@router.post(
    "/confirm",
    summary="Accept a fresh quote",
    responses=refuses(
        "not-waiting", "unknown-quote", "quote-expired", "quote-differs", "quote-used", "not-a-billing-contact"
    ),
)
def confirm(order_id: UUID, wanted: ConfirmationWanted, caller: OrdersWriter, request: Request) -> OrderView:
    """For an order in `awaiting_confirmation`: it goes on at the quote's amount, and its contact is the quote's from then on.

    May be sent again after a lost answer: a quote that this order has accepted is answered as the order stands now, and nothing is done
    twice. If the order waits for another quote by then (`status`, `next`), that one is not accepted with it.
    """
    with begin() as session:
        order = order_of(session, caller, order_id)
        with _told_who_may(session, order, at="/quote_id"):
            placement.confirm(session, order_id=order_id, quote_id=wanted.quote_id, now=now())
        answer = order_view.view(session, caller, order_id)
    request.app.state.publisher.nudge()
    return answer


@router.post("/cancel", summary="Cancel an order", responses=refuses("too-late"))
def cancel(order_id: UUID, caller: OrdersWriter, _body: NoBody, request: Request) -> OrderView:
    """Nothing is charged, or what was charged goes back. An order at work or in a queue stays open until its turn has come, or its payment is undone.

    May be sent again after a lost answer: it is answered as the order stands now.
    """
    with begin() as session:
        order_of(session, caller, order_id)
        placement.cancel(session, order_id=order_id, by="customer", now=exact_now())
        answer = order_view.view(session, caller, order_id)
    request.app.state.publisher.nudge()
    return answer


@contextmanager
def _told_who_may(session: Session, order: Order, *, at: str) -> Iterator[None]:
    """at: pointer to what named, or could have named, who orders. Raises Problem 422."""
    try:
        yield
    except who_orders.MayNotOrder as refused:
        raise refusals.about_field(session, refused.refusal, order.language, at=at, to_do=str(refused)) from None
