"""The accounts that a key may act for."""

from fastapi import APIRouter
from sqlalchemy import select

from api_stub.access import within_reach
from api_stub.auth import AccountsReader
from api_stub.edge.head_requests import HeadRoute
from api_stub.schemas.accounts import AccountList, AccountSummary
from api_stub.schemas.paging import USUAL, After, Limit, page
from models.accounts import Account
from models.api_keys import ApiKeyAccount
from models.planning import plan_for_values
from tasks.wiring import begin

router = APIRouter(prefix="/v1/accounts", tags=["accounts"], route_class=HeadRoute)


@router.get("", summary="The accounts that the key may act for")
def list_accounts(caller: AccountsReader, after: After = None, limit: Limit = USUAL) -> AccountList:
    """Which these are, whoever operates Prorata decides (`prorata keys allow`). An account joins the list at the place of its id, not at the end."""
    mine = within_reach(caller, Account.id)
    query = select(Account).where(mine)
    if after is not None:  # not looked up: the key may have lost that account since the page before
        # said of both, so that neither is read from its beginning
        query = select(Account).where(mine.where(ApiKeyAccount.account_id > after), Account.id > after)
    with begin() as session:
        plan_for_values(session)
        shown, next_after = page(session, query, by=(Account.id,), after=None, limit=limit)
        accounts = [AccountSummary.model_validate(each, from_attributes=True) for each in shown]
    return AccountList(accounts=accounts, next_after=next_after)
