"""All invoices and credit notes of an account."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import exists, select

from api_stub.access import require_account
from api_stub.auth import OrdersReader
from api_stub.edge.head_requests import HeadRoute
from api_stub.schemas import paging
from api_stub.schemas.invoices import InvoiceList
from api_stub.schemas.paging import USUAL, After, Limit
from api_stub.schemas.values import TRUE_OR_FALSE
from api_stub.views import invoice_view
from models.invoices import Invoice, Receivable, ReceivableStatus
from tasks.snapshot import begin_snapshot

router = APIRouter(prefix="/v1/accounts/{account_id}", tags=["accounts"], route_class=HeadRoute)

_IS_OWED = exists().where(Receivable.invoice_id == Invoice.id, Receivable.status == ReceivableStatus.OPEN)


@router.get("/invoices", summary="An account's invoices and credit notes")
def list_account_invoices(
    account_id: UUID,
    caller: OrdersReader,
    owed: Annotated[
        bool | None,
        Query(description="true: only those on which something is still owed; false: only the others"),
        TRUE_OR_FALSE,
    ] = None,
    after: After = None,
    limit: Limit = USUAL,
) -> InvoiceList:
    """Of all its orders; each names its `order_id`. Two documents issued at almost the same moment may be listed in either order, and one that is
    issued during a walk through the pages may be missing from it: for books, walk again, and tell by `number` what is new."""
    ever = select(Invoice).where(Invoice.account_id == account_id)
    query = ever if owed is None else ever.where(_IS_OWED if owed else ~_IS_OWED)
    with begin_snapshot() as session:
        require_account(session, caller, account_id)
        issued, next_after = paging.page(session, query, among=ever, by=(Invoice.id,), after=after, limit=limit)
        shown = invoice_view.views(session, issued)
    return InvoiceList(invoices=shown, next_after=next_after)
