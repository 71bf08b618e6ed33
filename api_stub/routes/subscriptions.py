"""What an account has."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session

from api_stub.access import account_of, subscription_of
from api_stub.auth import AccountsReader
from api_stub.edge.head_requests import HeadRoute
from api_stub.schemas.amounts import money
from api_stub.schemas.paging import USUAL, After, Limit, page
from api_stub.schemas.subscriptions import SubscriptionList, SubscriptionView
from api_stub.schemas.values import Period
from models.accounts import Account, Language
from models.subscriptions import RUNS, Subscription, SubscriptionPeriod
from tasks.snapshot import begin_snapshot
from tasks.wiring import now

router = APIRouter(prefix="/v1", tags=["subscriptions"], route_class=HeadRoute)


@router.get("/accounts/{account_id}/subscriptions", summary="An account's subscriptions")
def list_subscriptions(
    account_id: UUID, caller: AccountsReader, after: After = None, limit: Limit = USUAL
) -> SubscriptionList:
    query = select(Subscription).where(Subscription.account_id == account_id)
    with begin_snapshot() as session:
        account = account_of(session, caller, account_id)
        shown, next_after = page(
            session, query, by=(Subscription.product_code, Subscription.id), after=after, limit=limit
        )
        return SubscriptionList(subscriptions=_views(session, account, shown), next_after=next_after)


@router.get("/subscriptions/{subscription_id}", summary="A subscription")
def show_subscription(subscription_id: UUID, caller: AccountsReader) -> SubscriptionView:
    with begin_snapshot() as session:
        subscription = subscription_of(session, caller, subscription_id)
        [shown] = _views(session, session.get_one(Account, subscription.account_id), [subscription])
        return shown


def _views(session: Session, account: Account, subscriptions: Sequence[Subscription]) -> list[SubscriptionView]:
    ids = [each.id for each in subscriptions]
    running = session.scalars(select(SubscriptionPeriod).where(SubscriptionPeriod.subscription_id.in_(ids), RUNS))
    periods = {period.subscription_id: period for period in running}
    return [_view(each, periods.get(each.id), account.language) for each in subscriptions]


def _view(subscription: Subscription, charged: SubscriptionPeriod | None, language: Language) -> SubscriptionView:
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
        plan_price=money(charged.charged_minor, subscription.currency, language) if charged is not None else None,
        order_id=charged.order_id if charged is not None else None,
        created_at=subscription.created_at,
    )
