"""How an account pays: its payment method, and its balance with every movement."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import select

from api_stub.access import account_of, require_account
from api_stub.auth import AccountsReader, AccountsWriter
from api_stub.edge.json_bodies import JsonRoute
from api_stub.edge.no_body import NoBody
from api_stub.problems.problem_types import refuses
from api_stub.routes import payment_methods
from api_stub.schemas.accounts import (
    BalanceView,
    DeclinedMethodView,
    MovementView,
    PaymentMethodShown,
    PaymentMethodView,
    TokenWanted,
)
from api_stub.schemas.amounts import money
from api_stub.schemas.paging import USUAL, Limit
from api_stub.schemas.values import DIGITS
from models import ledger
from models.accounts import Account
from models.ledger import LedgerMovement
from tasks.snapshot import begin_snapshot
from tasks.upstream import payment_details
from tasks.wiring import begin

router = APIRouter(prefix="/v1/accounts/{account_id}", tags=["accounts"], route_class=JsonRoute)


@router.get("/payment-method", summary="The payment method that is charged")
def show_payment_method(account_id: UUID, caller: AccountsReader) -> PaymentMethodShown:
    with begin_snapshot() as session:
        require_account(session, caller, account_id)
        method = payment_details.usable(session, account_id)
        declined = payment_details.last_declined(session, account_id) if method is None else None
    return PaymentMethodShown(
        payment_method=None if method is None else PaymentMethodView.model_validate(method, from_attributes=True),
        last_declined=None if declined is None else DeclinedMethodView.model_validate(declined, from_attributes=True),
    )


@router.put(
    "/payment-method",
    summary="Give the account another payment method",
    responses=refuses("payment-method-refused", "too-many-declines"),
)
def attach_payment_method(account_id: UUID, wanted: TokenWanted, caller: AccountsWriter) -> PaymentMethodView:
    """It is charged from now on. An order that waits for payment details goes on only through its own `payment-method`."""
    with begin() as session:
        language = account_of(session, caller, account_id).language
    method = payment_methods.attach(account_id, wanted.token, language)
    return PaymentMethodView.model_validate(method, from_attributes=True)


@router.delete(
    "/payment-method",
    status_code=204,
    response_class=Response,
    summary="Remove the account's payment method",
    responses=refuses("payment-method-in-use"),
)
def remove_payment_method(account_id: UUID, caller: AccountsWriter, _body: NoBody) -> None:
    """Nothing is charged to it any more; once that is done, to ask again changes nothing. The next order needs other payment details, or is invoiced where the merchant does
    so on an accepted VAT number. Refused while an order is about to charge it, or the bank asks the customer; an order that waits for anything else of the customer keeps no payment method.
    What was charged to it is still refunded to it."""
    with begin() as session:
        require_account(session, caller, account_id)
        payment_details.remove(session, account_id)


@router.get("/balance", summary="The balance and how it came about")
def show_balance(
    account_id: UUID,
    caller: AccountsReader,
    before: Annotated[
        int | None, Query(ge=1, lt=2**31, description="only movements with a lower sequence"), DIGITS
    ] = None,
    limit: Limit = USUAL,
) -> BalanceView:
    with begin_snapshot() as session:
        account = account_of(session, caller, account_id)
        mine = (LedgerMovement.account_id == account_id, LedgerMovement.currency == account.currency)
        query = select(LedgerMovement).where(*mine).order_by(LedgerMovement.sequence.desc()).limit(limit + 1)
        if before is not None:
            query = query.where(LedgerMovement.sequence < before)
        found = session.scalars(query).all()
        balance = ledger.balance(session, account_id, account.currency)
    shown = found[:limit]
    return BalanceView(
        balance=money(balance, account.currency, account.language),
        movements=[_movement(each, account) for each in shown],
        next_before=shown[-1].sequence if len(found) > limit else None,
    )


def _movement(movement: LedgerMovement, account: Account) -> MovementView:
    return MovementView(
        sequence=movement.sequence,
        kind=movement.kind,
        amount=money(movement.amount_minor, movement.currency, account.language),
        balance=money(movement.balance_minor, movement.currency, account.language),
        order_id=movement.order_id,
        note=movement.note,
        created_at=movement.created_at,
    )
