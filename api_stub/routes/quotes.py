"""Quotes: a cart in, a binding offer out, or why not, line by line."""

from uuid import UUID

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from api_stub.access import quote_of, require_account
from api_stub.auth import OrdersReader, OrdersWriterKey, PresentedKey
from api_stub.edge.json_bodies import JsonRoute
from api_stub.problems import refusals
from api_stub.problems.details import Problem
from api_stub.problems.problem_types import refuses
from api_stub.schemas.quotes import QuoteView, QuoteWanted
from api_stub.schemas.values import LOCATION
from api_stub.threads import in_thread
from api_stub.views import quote_view
from models.rules.cart import CartLine
from models.rules.refusals import RefusalCode
from tasks import placement
from tasks.quotes import quoting
from tasks.upstream import carts
from tasks.wiring import begin, now, policy

router = APIRouter(prefix="/v1/quotes", tags=["quotes"], route_class=JsonRoute)


@router.post(
    "",
    status_code=201,
    summary="Ask for a binding quote",
    responses=refuses("not-found", *RefusalCode) | {201: {"headers": LOCATION}},
)
async def ask_for_quote(wanted: QuoteWanted, presented: OrdersWriterKey, response: Response) -> QuoteView:
    """What the cart costs, line by line, valid until `expires_at`. A refused cart is answered with the reasons against every line that cannot be ordered:
    for most rules the first reason only, so that another may come to light once that is mended. Where a lower plan was asked for,
    a support case is opened, or the one that is open brought up to date."""
    answer = await in_thread(lambda: _quote(wanted, presented))
    if isinstance(answer, Problem):  # only now: the support case is committed
        raise answer
    response.headers["Location"] = f"/v1/quotes/{answer.id}"
    return answer


@router.get("/{quote_id}", summary="Look at a quote again")
def show_quote(quote_id: UUID, caller: OrdersReader) -> QuoteView:
    with begin() as session:
        return quote_view.view(session, quote_of(session, caller, quote_id))


def _quote(wanted: QuoteWanted, presented: PresentedKey) -> QuoteView | Problem:
    with begin() as session:
        require_account(session, presented.authenticate(session, wanted.account_id), wanted.account_id)
        try:
            quote = placement.quote(
                session,
                account_id=wanted.account_id,
                contact_id=wanted.contact_id,
                cart=_cart(session, wanted),
                now=now(),
                policy=policy(),
            )
        except quoting.CartRefused as refused:
            return refusals.problem(session, refused)
        return quote_view.view(session, quote)


def _cart(session: Session, wanted: QuoteWanted) -> list[CartLine]:
    if not wanted.from_cart:
        return [line.line() for line in wanted.lines]
    if wanted.lines:
        errors = [{"pointer": "/lines", "detail": "Leave it out with `from_cart`: the stored cart has the lines."}]
        raise Problem(422, "invalid-request", "The request is not as it should be; see `errors`.", errors=errors)
    return carts.get(session, account_id=wanted.account_id)
