"""An account's stored cart; `from_cart` in a quote takes its lines from here."""

from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel

from api_stub.access import account_of, require_account
from api_stub.auth import OrdersReader, OrdersWriter
from api_stub.edge.json_bodies import JsonRoute
from api_stub.edge.no_body import NoBody
from api_stub.problems import refusals
from api_stub.problems.problem_types import refuses
from api_stub.schemas.lines import LinesWanted
from api_stub.schemas.values import Wanted
from models.rules.cart import Action, CartLine
from models.rules.period import Interval
from tasks.upstream import carts
from tasks.upstream.carts import CartUnstorable
from tasks.wiring import begin

router = APIRouter(prefix="/v1/accounts/{account_id}/cart", tags=["cart"], route_class=JsonRoute)


class CartWanted(Wanted):
    """One line per product."""

    lines: LinesWanted


class CartLineView(BaseModel):
    action: Action
    product: str
    tier: str | None
    seats: int | None
    interval: Interval | None


class CartView(BaseModel):
    lines: list[CartLineView]


@router.put("", summary="Replace the cart", responses=refuses("too-many-lines", "product-twice", "seats-out-of-range"))
def put_cart(account_id: UUID, wanted: CartWanted, caller: OrdersWriter) -> CartView:
    """Whether it may be ordered is for the quote to say. It stays until it is replaced or emptied: an order leaves it as it is."""
    with begin() as session:
        account = account_of(session, caller, account_id)
        try:
            carts.put(session, account_id=account_id, lines=[line.line() for line in wanted.lines])
        except CartUnstorable as unstorable:
            raise refusals.about_field(session, unstorable.refusal, account.language) from None
        return _view(carts.get(session, account_id=account_id))


@router.get("", summary="The cart")
def show_cart(account_id: UUID, caller: OrdersReader) -> CartView:
    with begin() as session:
        require_account(session, caller, account_id)
        return _view(carts.get(session, account_id=account_id))


@router.delete("", status_code=204, response_class=Response, summary="Empty the cart")
def clear_cart(account_id: UUID, caller: OrdersWriter, _body: NoBody) -> None:
    with begin() as session:
        require_account(session, caller, account_id)
        carts.clear(session, account_id=account_id)


def _view(lines: list[CartLine]) -> CartView:
    return CartView(lines=[CartLineView.model_validate(line, from_attributes=True) for line in lines])
