"""What a caller may see: only what belongs to accounts its key is bound to. Anything else is not there (404), whoever owns it."""

from typing import TypeVar
from uuid import UUID

from sqlalchemy import Exists, bindparam, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session, selectinload
from sqlalchemy.sql.base import ExecutableOption

from api_stub.problems.details import not_found
from models.accounts import Account
from models.api_keys import ApiKeyAccount
from models.orders import Order, Quote
from models.prepared import Prepared
from models.subscriptions import Subscription
from tasks.upstream.callers import Caller

Row = TypeVar("Row")


def within_reach(caller: Caller, account_id: InstrumentedAttribute[UUID]) -> Exists:
    """Condition: the row's account is one the caller's key is bound to."""
    return exists().where(ApiKeyAccount.api_key_id == caller.key_id, ApiKeyAccount.account_id == account_id)


_BINDINGS = ApiKeyAccount.__table__.c
_BOUND = Prepared[UUID](
    select(_BINDINGS.account_id).where(
        _BINDINGS.api_key_id == bindparam("key_id"), _BINDINGS.account_id == bindparam("wanted")
    )
)
"""asked with most requests, so built once"""


def require_account(session: Session, caller: Caller, account_id: UUID) -> None:
    """Raises Problem 404."""
    if caller.bound_to == account_id:
        return
    if not _BOUND.all(session, {"key_id": caller.key_id, "wanted": account_id}):
        raise not_found("account")


def account_of(session: Session, caller: Caller, account_id: UUID, *options: ExecutableOption) -> Account:
    """Raises Problem 404."""
    query = select(Account).where(Account.id == account_id, within_reach(caller, Account.id)).options(*options)
    return _found(session.scalar(query), "account")


def order_of(session: Session, caller: Caller, order_id: UUID, *options: ExecutableOption) -> Order:
    """Raises Problem 404."""
    query = select(Order).where(Order.id == order_id, within_reach(caller, Order.account_id)).options(*options)
    # Transitions are UPDATEs that bypass the session's objects: what it read before may be stale.
    return _found(session.scalar(query, execution_options={"populate_existing": True}), "order")


def quote_of(session: Session, caller: Caller, quote_id: UUID) -> Quote:
    """With its lines. Raises Problem 404."""
    mine = select(Quote).where(Quote.id == quote_id, within_reach(caller, Quote.account_id))
    return _found(session.scalar(mine.options(selectinload(Quote.lines))), "quote")


def subscription_of(session: Session, caller: Caller, subscription_id: UUID) -> Subscription:
    """Raises Problem 404."""
    mine = within_reach(caller, Subscription.account_id)
    return _found(session.scalar(select(Subscription).where(Subscription.id == subscription_id, mine)), "subscription")


def _found(row: Row | None, what: str) -> Row:
    if row is None:
        raise not_found(what)
    return row
