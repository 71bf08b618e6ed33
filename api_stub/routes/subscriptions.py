"""What an account has."""

from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select

from api_stub.access import require_account, subscription_of
from api_stub.auth import AccountsReader
from api_stub.edge.head_requests import HeadRoute
from api_stub.schemas.paging import USUAL, After, Limit, page
from api_stub.schemas.subscriptions import SubscriptionList, SubscriptionView
from api_stub.schemas.values import Period
from models.subscriptions import Subscription
from tasks.wiring import begin, now

router = APIRouter(prefix="/v1", tags=["subscriptions"], route_class=HeadRoute)


@router.get("/accounts/{account_id}/subscriptions", summary="An account's subscriptions")
def list_subscriptions(
    account_id: UUID, caller: AccountsReader, after: After = None, limit: Limit = USUAL
) -> SubscriptionList:
    query = select(Subscription).where(Subscription.account_id == account_id)
    with begin() as session:
        require_account(session, caller, account_id)
        shown, next_after = page(
            session, query, by=(Subscription.product_code, Subscription.id), after=after, limit=limit
        )
        return SubscriptionList(subscriptions=[view(each) for each in shown], next_after=next_after)


@router.get("/subscriptions/{subscription_id}", summary="A subscription")
def show_subscription(subscription_id: UUID, caller: AccountsReader) -> SubscriptionView:
    with begin() as session:
        return view(subscription_of(session, caller, subscription_id))


def view(subscription: Subscription) -> SubscriptionView:
    return SubscriptionView(
        id=subscription.id,
        account_id=subscription.account_id,
        product=subscription.product_code,
        tier=subscription.tier_code,
        seats=subscription.seats,
        interval=subscription.interval,
        status=subscription.status_at(now()),
        period=Period(start=subscription.period_start, end=subscription.period_end),
        currency=subscription.currency,
        created_at=subscription.created_at,
    )
