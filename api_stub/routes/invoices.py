"""An order's invoice and what corrected it: listed, as a page, as PDF."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import select

from api_stub.access import order_of
from api_stub.auth import OrdersReader
from api_stub.edge.head_requests import HeadRoute
from api_stub.problems.details import not_found
from api_stub.schemas import paging
from api_stub.schemas.invoices import InvoiceList
from api_stub.schemas.paging import USUAL, After, Limit
from api_stub.schemas.values import INVOICE_NUMBER
from api_stub.views import invoice_view
from models import invoices
from models.invoices import Invoice
from tasks.invoices.as_html import as_html
from tasks.invoices.as_pdf import as_pdf
from tasks.invoices.page import Page, page
from tasks.snapshot import begin_snapshot

router = APIRouter(prefix="/v1/orders/{order_id}", tags=["orders"], route_class=HeadRoute)

Number = Annotated[
    str | None,
    Query(
        pattern=INVOICE_NUMBER,
        description="which of the order's documents (its `invoices` list them); default: the one in force, which is its first, or the invoice that replaced it",
        examples=["INV-2026-000001"],
    ),
]
_NOTHING_FETCHED = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}
_PDF = {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}
_HTML = {"content": {"text/html": {"schema": {"type": "string"}}}}


@router.get("/invoices", summary="An order's invoices and credit notes")
def list_invoices(order_id: UUID, caller: OrdersReader, after: After = None, limit: Limit = USUAL) -> InvoiceList:
    query = select(Invoice).where(Invoice.order_id == order_id)
    with begin_snapshot() as session:
        order_of(session, caller, order_id)
        issued, next_after = paging.page(session, query, by=(Invoice.id,), after=after, limit=limit)
        shown = invoice_view.views(session, issued)
    return InvoiceList(invoices=shown, next_after=next_after)


@router.get("/invoice.pdf", summary="An invoice or credit note as PDF", response_class=Response, responses={200: _PDF})
def invoice_as_pdf(order_id: UUID, caller: OrdersReader, number: Number = None) -> Response:
    """Always the same bytes for the same document."""
    document, shown = _page(caller, order_id, number)
    headers = {"Content-Disposition": f'attachment; filename="{document}.pdf"'}
    return Response(as_pdf(shown), media_type="application/pdf", headers=headers)


@router.get(
    "/invoice.html", summary="An invoice or credit note as a page", response_class=Response, responses={200: _HTML}
)
def invoice_as_html(order_id: UUID, caller: OrdersReader, number: Number = None) -> Response:
    _, shown = _page(caller, order_id, number)
    return Response(as_html(shown), media_type="text/html", headers=_NOTHING_FETCHED)


def _page(caller: OrdersReader, order_id: UUID, number: str | None) -> tuple[str, Page]:
    """Raises Problem 404: no such order, nothing invoiced, or not its number."""
    with begin_snapshot() as session:
        order_of(session, caller, order_id)
        issued = select(Invoice).where(Invoice.order_id == order_id)
        document = session.scalar(
            invoices.in_force(issued) if number is None else issued.where(Invoice.number == number)
        )
        if document is None:
            raise not_found("invoice")
        return document.number, page(document, invoices.lines_of(session, document))
