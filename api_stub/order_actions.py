"""What a customer does about an order that waits: pay another way, accept the fresh quote, cancel."""

from uuid import UUID

from fastapi import APIRouter, Request

from api_stub import order_view, payment_methods
from api_stub.access import order_of
from api_stub.auth import OrdersWriter
from api_stub.schemas.orders import ConfirmationWanted, OrderView, PaymentMethodWanted
from models.states import AWAITS_PAYMENT
from tasks import placement
from tasks.placement import PlacementRefused
from tasks.wiring import begin, now

router = APIRouter(prefix="/v1/orders/{order_id}", tags=["orders"])


@router.post("/payment-method", summary="Give a payment method and try again")
def give_payment_method(
    order_id: UUID, wanted: PaymentMethodWanted, caller: OrdersWriter, request: Request
) -> OrderView:
    """The method becomes the account's, and the order that waits for it goes on with a new charge. Whoever may order may do so."""
    with begin() as session:
        order = order_of(session, caller, order_id)
    if order.status not in AWAITS_PAYMENT:
        raise PlacementRefused("not-waiting", f"The order does not wait for payment details: it is {order.status}.")
    if wanted.token is not None:
        payment_methods.attach(order.account_id, wanted.token, order.language)
    with begin() as session:
        placement.pay_again(session, order_id=order_id)
        answer = order_view.view(session, caller, order_id)
    request.app.state.publisher.nudge()
    return answer


@router.post("/confirm", summary="Accept a fresh quote")
def confirm(order_id: UUID, wanted: ConfirmationWanted, caller: OrdersWriter, request: Request) -> OrderView:
    """For an order in `awaiting_confirmation`: it goes on at the quote's amount."""
    with begin() as session:
        order_of(session, caller, order_id)
        placement.confirm(session, order_id=order_id, quote_id=wanted.quote_id, now=now())
        answer = order_view.view(session, caller, order_id)
    request.app.state.publisher.nudge()
    return answer


@router.post("/cancel", summary="Cancel an order")
def cancel(order_id: UUID, caller: OrdersWriter, request: Request) -> OrderView:
    """Nothing is charged, or what was charged goes back. An order at work or in a queue stays open until its turn has come, or its payment is undone."""
    with begin() as session:
        order_of(session, caller, order_id)
        placement.cancel(session, order_id=order_id, by="customer", now=now())
        answer = order_view.view(session, caller, order_id)
    request.app.state.publisher.nudge()
    return answer
