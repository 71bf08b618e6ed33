"""Subscriptions and the seats on them."""

from uuid import UUID

from pydantic import BaseModel, Field

from api_stub.schemas.amounts import Money
from api_stub.schemas.paging import NEXT_AFTER
from api_stub.schemas.values import Email, Instant, Period, Wanted
from models.rules.cart import SubscriptionStatus
from models.rules.period import Interval
from tasks.upstream.seats import SeatAction, SeatResult


class SubscriptionView(BaseModel):
    id: UUID
    account_id: UUID
    product: str
    tier: str
    seats: int
    interval: Interval | None = Field(description="null for a trial")
    status: SubscriptionStatus = Field(
        description="`trialing`: on trial; from `period.end` on it is `trial_ended`, also while an order waits. `active`: bought. It does not end by itself, not even when its period is over: "
        "compare `period.end` with the clock. `ended`: what it was bought with was refunded."
    )
    period: Period = Field(
        description="what was paid for, or the trial. Nothing renews by itself: after its end, buy again. The end may lie in the future although `status` is `ended`, where it was "
        "refunded before"
    )
    currency: str
    plan_price: Money | None = Field(
        description="what all seats cost for the whole `period`, net, as it was ordered; 0 for a trial, null where `status` is `ended`. In the account's language"
    )
    order_id: UUID | None = Field(
        description="the order that last bought or changed it; null where `status` is `ended`, as that order was refunded"
    )
    created_at: Instant


class SubscriptionList(BaseModel):
    """By product."""

    subscriptions: list[SubscriptionView]
    next_after: UUID | None = Field(description=NEXT_AFTER)


class SeatView(BaseModel):
    email: str
    assigned_at: Instant


class SeatsView(BaseModel):
    """The users who have a seat, the most recently assigned first."""

    seats: int
    limit: int = Field(
        description="how many may be assigned: fewer than `seats` while an order that lowers them is open"
    )
    lowered_by: int | None = Field(description="the number of that order")
    lowered_by_order_id: UUID | None = Field(description="its id, for `GET /v1/orders/{order_id}`")
    assigned: int
    users: list[SeatView]
    next_after: UUID | None = Field(description=NEXT_AFTER)


class SeatWanted(Wanted):
    email: Email = Field(examples=["mia@customer.example"])


class SeatChanged(BaseModel):
    email: str
    result: SeatResult
    seats: int
    assigned: int


class LineResult(BaseModel):
    line: int = Field(description="in the file; the header is line 1")
    email: str
    action: SeatAction
    result: SeatResult


class BulkChanged(BaseModel):
    results: list[LineResult]
    seats: int
    assigned: int
