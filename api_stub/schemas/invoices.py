"""Invoices and credit notes, and what is owed on them."""

from datetime import date
from uuid import UUID

from pydantic import BaseModel, Field

from api_stub.schemas.amounts import Money
from api_stub.schemas.paging import NEXT_AFTER
from api_stub.schemas.values import Instant
from models.invoices import InvoiceKind, InvoiceReason, ReceivableStatus

DUE_AT = "the invoice's time and the term of payment: an instant of the day `due_on`, which decides"
DUE_ON = "the day by which the invoice asks for the money, in its own time zone. It is overdue once that day is over"


class OwedView(BaseModel):
    """What is to be paid by transfer."""

    amount: Money
    due_at: Instant = Field(description=DUE_AT)
    due_on: date = Field(description=DUE_ON)
    status: ReceivableStatus


class StillOwed(BaseModel):
    """What is still to be paid by transfer."""

    invoice: str = Field(description="number of the invoice that asks for it", examples=["INV-2026-000002"])
    amount: Money
    due_at: Instant = Field(description=DUE_AT)
    due_on: date = Field(description=DUE_ON)


class InvoiceView(BaseModel):
    """Amounts are signed as the customer sees them: a credit note's are negative."""

    number: str = Field(examples=["INV-2026-000001"])
    kind: InvoiceKind
    reason: InvoiceReason
    order_id: UUID
    issued_on: date
    corrects: str | None = Field(
        description="number of the one document that this one corrects, replaces, or cancels in whole or in part (see `reason`)"
    )
    corrects_all: list[str] = Field(
        description="numbers of all documents that this one corrects, as it names them itself: that one or, on an order's"
        " credit note, each that charged what is credited; empty for others",
        examples=[["INV-2026-000001"]],
    )
    net: Money
    tax: Money
    total: Money
    owed: OwedView | None
    links: dict[str, str] = Field(examples=[{"pdf": "/v1/orders/…/invoice.pdf?number=INV-2026-000001"}])


class InvoiceList(BaseModel):
    """In the order of their issue; empty where nothing was invoiced, such as for trials."""

    invoices: list[InvoiceView] = Field(
        description="`corrects` of a credit note says which document it cancels as a whole (`reason` is `refund` or `vat_number_invalid`), or of which it gives back the VAT only, "
        "so that the rest stays in force (`vat_number_confirmed`); `corrects` of an invoice, which one it replaces"
    )
    next_after: UUID | None = Field(description=NEXT_AFTER)
