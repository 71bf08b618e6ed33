"""What is sold, for a shop to show before there is a cart."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api_stub.access import account_of
from api_stub.auth import OrdersReader
from api_stub.edge.head_requests import HeadRoute
from api_stub.problems.problem_types import refuses
from api_stub.schemas.catalogue import CatalogueView
from api_stub.views import catalogue_view
from models.accounts import Language
from tasks.snapshot import begin_snapshot
from tasks.wiring import now

router = APIRouter(prefix="/v1/catalogue", tags=["catalogue"], route_class=HeadRoute)

_ACCOUNT = Query(
    description="only prices in this account's currency, and amounts in its language unless told otherwise"
)
_LANGUAGE = Query(description="in which amounts are written; default: the account's, without an account `en`")


@router.get("", summary="Products, tiers and prices", responses=refuses("not-found"))
def show_catalogue(
    caller: OrdersReader,
    account_id: Annotated[UUID | None, _ACCOUNT] = None,
    language: Annotated[Language | None, _LANGUAGE] = None,
) -> CatalogueView:
    """What is sold now, the same for every key. Whoever may read quotes may read it (`orders:read`): a quote shows these prices, too."""
    with begin_snapshot() as session:
        account = account_of(session, caller, account_id) if account_id else None
        return catalogue_view.view(
            session,
            at=now(),
            language=language or (account.language if account else Language.EN),
            currency=account.currency if account else None,
        )
