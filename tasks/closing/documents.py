"""Documents with their levies (net and VAT of one state at one rate and treatment), their payment, and the answer of VIES.

A document's levies add up to its net and VAT.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, Date, and_, case, cast, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from models.accounts import VatCheck, VatCheckStatus
from models.invoices import Invoice, InvoiceKind, InvoiceReason, Receivable, ReceivableStatus
from models.orders import Order
from models.payments import ChargeAttempt
from models.rules.timezone import local
from models.rules.vat import Treatment
from models.states import AttemptStatus, PaymentKind
from models.vat_follow_ups import VatFollowUp
from tasks.closing.shares import SUPPLIED_ON, Divided, shares
from tasks.invoices.corrected import corrected
from tasks.policy import Seller


class Day(StrEnum):
    """The day of a document by which it is chosen."""

    ISSUED = "issued"
    """on the clock of the seller's country"""
    SUPPLIED = "supplied"
    """on the clock of the buyer's country; a correction has that of what it corrects"""
    DECLARED = "declared"
    """by which it belongs to a return: the day of issue; a correction of VAT has that of what it corrects"""
    TAXED = "taxed"
    """by which it belongs to a return of the one-stop shop: the day of supply, which decided the rate; also of what a change credits; of a refund, and of a correction of VAT, the day of issue"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLevy:
    """One levy of a document, on what it sells or on what it amends. Each repeats what is said of the whole document."""

    number: str
    kind: InvoiceKind
    reason: InvoiceReason
    corrects: str | None
    """what it corrects or replaces; for an order's credit note, the documents that charged what it credits"""
    issued_on: date
    supplied_on: date
    declared_on: date
    amends: str | None
    """the earlier document whose charge this row credits, takes back or taxes anew; None: what is sold with this document"""
    sale_supplied_on: date
    """the day of supply of this document or, if it amends one, of the order whose charge that was; the day of issue if it names none"""
    order_number: str
    account_id: UUID
    buyer: str
    vat_number: str | None
    seller_country: str
    tax_country: str
    treatment: Treatment | None
    rate: Decimal
    currency: str
    net_minor: int
    vat_minor: int
    document_total_minor: int
    owed_minor: int | None
    """to be paid by transfer; None if nothing ever was"""
    owed_status: ReceivableStatus | None
    settled_on: date | None
    charged_minor: int | None
    """to a card; for a refund's credit note, negative, what was refunded of it"""
    charge_ref: str | None
    """the provider's id of that charge; None if the refund was made by other means than to the card"""
    vies_number: str | None
    """the VAT number of its order that VIES was asked about; None if nothing depended on one"""
    vies_answer: VatCheckStatus | None
    """the last one, on which the order rests or by which its VAT was corrected"""
    vies_asked_at: datetime | None
    vies_consultation_number: str | None
    """the receipt"""


_Corrected = aliased(Invoice)
_CORRECTS_VAT = Invoice.reason.in_((InvoiceReason.VAT_NUMBER_INVALID, InvoiceReason.VAT_NUMBER_CONFIRMED))
_DECLARED_ON: ColumnElement[date] = case(
    (
        _CORRECTS_VAT,
        select(_Corrected.issued_on).where(_Corrected.id == Invoice.corrects_id).scalar_subquery(),
    ),
    else_=Invoice.issued_on,
)
_TAXED_ON: ColumnElement[date] = case(
    (Invoice.reason == InvoiceReason.ORDER, SUPPLIED_ON),
    else_=func.greatest(Invoice.issued_on, SUPPLIED_ON),  # at midnight, what corrects a sale is not before it
)


def count(session: Session, first: date, last: date, *, by: Day, reasons: Collection[InvoiceReason]) -> int:
    """Of how many documents `levies` tells; by the day of supply perhaps of some more."""
    return session.scalars(select(func.count()).select_from(Invoice).where(_chosen(first, last, by, reasons))).one()


def levies(
    session: Session, first: date, last: date, *, by: Day, reasons: Collection[InvoiceReason] = (), seller: Seller
) -> Iterator[DocumentLevy]:
    """Of all documents of the days from `first` to `last`, by day of issue and number. reasons: only these; if empty, all.

    Those of one day of issue are read at a time. So pass a session from `tasks.snapshot.of_one_moment`.
    """
    chosen = _chosen(first, last, by, reasons)
    for day in session.scalars(select(Invoice.issued_on).where(chosen).distinct().order_by(Invoice.issued_on)).all():
        these = and_(Invoice.issued_on == day, chosen)
        divided = shares(session, these)
        for row in session.execute(_DOCUMENTS.where(these)).all():
            if by is not Day.SUPPLIED or first <= _supplied_on(row.Invoice) <= last:
                yield from _told(*row, divided[row.Invoice.id], seller)


def _chosen(first: date, last: date, by: Day, reasons: Collection[InvoiceReason]) -> ColumnElement[bool]:
    return and_(_of_days(by, first, last), *([Invoice.reason.in_(reasons)] if reasons else []))


def _of_days(by: Day, first: date, last: date) -> ColumnElement[bool]:
    """Perhaps some more of those that do not name their day of supply, because they are older than that column."""
    match by:
        case Day.ISSUED:
            return Invoice.issued_on.between(first, last)
        case Day.DECLARED:  # in other words than `_DECLARED_ON`, for which all documents would be read
            of_those_days = select(_Corrected.id).where(_Corrected.issued_on.between(first, last)).scalar_subquery()
            corrects_one = Invoice.corrects_id == func.any(func.array(of_those_days))
            return or_(and_(~_CORRECTS_VAT, Invoice.issued_on.between(first, last)), and_(_CORRECTS_VAT, corrects_one))
        case Day.SUPPLIED:
            in_utc = cast(func.timezone("UTC", Invoice.supplied_at), Date)  # no clock is a whole day from it
            around = in_utc.between(literal(first) - 1, literal(last) + 1)
            return or_(Invoice.supplied_on.between(first, last), and_(Invoice.supplied_on.is_(None), around))
        case Day.TAXED:  # one of both is within, and has an index
            either = or_(Invoice.issued_on.between(first, last), Invoice.supplied_on.between(first, last))
            return and_(either, _TAXED_ON.between(first, last))


def _supplied_on(document: Invoice) -> date:
    return document.supplied_on or local(document.supplied_at, document.timezone).date()


_BY_CARD = and_(
    ChargeAttempt.order_id == Invoice.order_id,
    ChargeAttempt.status == AttemptStatus.SUCCEEDED,
    Invoice.payment_kind == PaymentKind.CARD,
    Invoice.reason.in_((InvoiceReason.ORDER, InvoiceReason.REFUND)),
)
_DOCUMENTS = (
    select(Invoice, _DECLARED_ON, Receivable, ChargeAttempt.ref, VatCheck)
    .join(Order, Order.id == Invoice.order_id)
    .outerjoin(Receivable, Receivable.invoice_id == Invoice.id)
    .outerjoin(ChargeAttempt, _BY_CARD)
    .outerjoin(VatFollowUp, VatFollowUp.order_id == Invoice.order_id)
    .outerjoin(VatCheck, VatCheck.id == func.coalesce(VatFollowUp.vat_check_id, Order.vat_check_id))
    .order_by(Invoice.issued_on, Invoice.series, Invoice.year, Invoice.sequence)
)


def _told(
    document: Invoice,
    declared_on: date,
    owed: Receivable | None,
    charge_ref: str | None,
    check: VatCheck | None,
    divided: Divided,
    seller: Seller,
) -> Iterator[DocumentLevy]:
    corrects = ", ".join(corrected(document, divided.lines))
    for (levy, amends, sale_supplied_on), (net, tax) in divided.shares.items():
        yield DocumentLevy(
            number=document.number,
            kind=document.kind,
            reason=document.reason,
            corrects=corrects or None,
            issued_on=document.issued_on,
            supplied_on=_supplied_on(document),
            declared_on=declared_on,
            amends=amends,
            sale_supplied_on=sale_supplied_on,
            order_number=document.order_number,
            account_id=document.account_id,
            buyer=document.buyer["name"],
            **levy._asdict(),
            currency=document.currency,
            net_minor=net,
            vat_minor=tax,
            document_total_minor=document.total_minor,
            owed_minor=owed.amount_minor if owed else None,
            owed_status=owed.status if owed else None,
            settled_on=seller.day(owed.settled_at) if owed and owed.settled_at else None,
            charged_minor=_charged_minor(document),
            charge_ref=charge_ref,
            vies_number=check.number if check else None,
            vies_answer=check.status if check else None,
            vies_asked_at=check.asked_at if check else None,
            vies_consultation_number=check.consultation_number if check else None,
        )


def _charged_minor(document: Invoice) -> int | None:
    if document.reason is InvoiceReason.REFUND:
        return -document.paid_before_minor or None
    if document.reason is InvoiceReason.ORDER and document.payment_kind is PaymentKind.CARD:
        return document.due_minor
    return None
