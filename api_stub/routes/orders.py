"""Orders: place one, look at one, list them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BeforeValidator
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from api_stub.access import require_account, within_reach
from api_stub.auth import OrdersReader, OrdersWriterKey, PresentedKey
from api_stub.edge.json_bodies import JsonRoute
from api_stub.problems.problem_types import refuses
from api_stub.schemas.orders import OrderPage, OrderPlaced, OrderView, OrderWanted, placed_view
from api_stub.schemas.paging import USUAL, Limit
from api_stub.schemas.values import DIGITS, INT64, LOCATION, PRINTED_OR_BLANK, TRUE_OR_FALSE
from api_stub.threads import in_thread
from api_stub.views import order_view, owed_view
from models.orders import Order
from models.planning import plan_for_values
from models.states import FINAL, OrderStatus
from tasks import placement
from tasks.failure_points import reach
from tasks.placement import Placed
from tasks.snapshot import begin_snapshot
from tasks.wiring import begin, now

router = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=JsonRoute)

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=PRINTED_OR_BLANK,
        description="Made by the caller, one per order. With the same API key, the same key with the same body gives the same order, however often; "
        "with another API key, a quote that has its order already is refused with that order's id (`quote-used`).",
        examples=["7d8e1f6c-2b7a-4f39-9a53-0f6d2c1b8e11"],
    ),
    BeforeValidator(lambda given: given.strip(" \t")),  # RFC 9110 (5.5): blanks around a value are no part of it
]


@router.post(
    "",
    status_code=201,
    summary="Place an order on a quote",
    responses=refuses(
        "not-found", "unknown-quote", "quote-expired", "quote-used", "open-order", "idempotency-key-reused"
    )
    | {
        200: {
            "model": OrderPlaced,
            "description": "Placed before with this Idempotency-Key; nothing was done twice",
            "headers": LOCATION
            | {"Idempotent-Replayed": {"required": True, "schema": {"type": "string", "enum": ["true"]}}},
        },
        201: {"headers": LOCATION},
    },
)
async def place_order(
    wanted: OrderWanted, key: IdempotencyKey, presented: OrdersWriterKey, request: Request, response: Response
) -> OrderPlaced:
    """The order is on its way when this answers; `links.self` and `links.events` tell how it goes on."""
    placed = await in_thread(lambda: _place(wanted, key, presented))
    if placed.is_new:
        request.app.state.publisher.nudge()
    else:
        response.status_code = 200
        response.headers["Idempotent-Replayed"] = "true"
    answer = placed_view(placed.order, wanted.quote_id)
    response.headers["Location"] = answer.links["self"]
    return answer


def _place(wanted: OrderWanted, key: str, presented: PresentedKey) -> Placed:
    with begin() as session:
        caller = presented.authenticate(session, wanted.account_id)
        require_account(session, caller, wanted.account_id)
        placed = placement.place(
            session,
            quote_id=wanted.quote_id,
            account_id=wanted.account_id,
            idempotency_key=key,
            api_key_id=caller.key_id,
            now=now(),
        )
        reach("placement.inserted", key)
    reach("placement.committed", key)
    return placed


@router.get("", summary="List orders, newest first", responses=refuses("not-found"))
def list_orders(
    caller: OrdersReader,
    account_id: Annotated[UUID | None, Query(description="only this account's")] = None,
    status: Annotated[
        list[OrderStatus] | None,
        Query(
            max_length=len(OrderStatus),
            description="only orders in one of these: give it once for each, such as `status=open&status=needs_attention`",
        ),
    ] = None,
    final: Annotated[
        bool | None,
        Query(description="false: only orders that are not final, whatever their status is; true: only the others"),
        TRUE_OR_FALSE,
    ] = None,
    before: Annotated[
        int | None,
        Query(ge=1, lt=2**63, description="only orders with a lower number", json_schema_extra=INT64),
        DIGITS,
    ] = None,
    limit: Limit = USUAL,
) -> OrderPage:
    mine = select(Order).where(within_reach(caller, Order.account_id)).options(selectinload(Order.lines))
    query = mine.order_by(Order.number.desc()).limit(limit + 1)
    if account_id is not None:
        query = query.where(Order.account_id == account_id)
    if status is not None:
        query = query.where(Order.status.in_(status))
    if final is not None:
        query = query.where(Order.status.in_([each for each in OrderStatus if (each in FINAL) is final]))
    if before is not None:
        query = query.where(Order.number < before)
    with begin() as session:
        plan_for_values(session)
        if account_id is not None:
            require_account(session, caller, account_id)
        found = session.scalars(query).all()
        shown = found[:limit]
        owed = owed_view.by_order(session, [order.id for order in shown])
    return OrderPage(
        orders=[order_view.summary(order, owed.get(order.id)) for order in shown],
        next_before=shown[-1].number if len(found) > limit else None,
    )


@router.get("/{order_id}", summary="Where an order stands")
def show_order(order_id: UUID, caller: OrdersReader) -> OrderView:
    """Status with its reason, what the customer must do next, lines, amounts, payment and timeline."""
    with begin_snapshot() as session:  # an order shown as ended has in its timeline all that happened before
        return order_view.view(session, caller, order_id)
