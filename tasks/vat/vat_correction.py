"""Corrects VAT when the registry answers only after an order was charged: charges VAT that is owed after all, or credits it.

Both correct the order's documents and the periods it charged, so that a later change credits the tax that was really paid.
No card is charged: VAT owed is an open receivable, VAT credited becomes balance.
"""

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import invoices, ledger, timeline
from models.accounts import Account
from models.invoices import Invoice, InvoiceLine, InvoiceReason
from models.ledger import Cause, MovementKind
from models.orders import Order
from models.rules import pricing, vat
from models.rules.vat import Treatment, VatDecision
from models.sold_to import sold_to
from models.subscriptions import Subscription, SubscriptionPeriod
from models.timeline_kinds import Kind
from tasks.billing import documents, invoicing, receivables
from tasks.billing.documents import Draft, Settlement
from tasks.billing.invoice_lines import copy_of
from tasks.wiring import now, policy

Periods = Mapping[str, SubscriptionPeriod]
"""what an order charged, by product code: each of its lines has one, once it is active"""


def charge_vat(session: Session, order: Order) -> Invoice | None:
    """The number is invalid: reverse the document without VAT, issue one with VAT, and record the VAT as owed.

    None if nothing changes: nothing was invoiced, or the VAT comes to zero. The caller has locked the order's row and its account.
    """
    original = invoicing.document_in_force(session, order)
    if original is None:
        return None
    account = session.get_one(Account, order.account_id, populate_existing=True)
    without_number = sold_to(order, account).vat(
        seller_country=policy().seller.country, at=order.as_of, with_number=False
    )
    periods = _periods(session, order)
    before = invoices.lines_of(session, original)
    lines = [_taxed(line, periods[line.product_code], without_number) for line in before]
    owed = sum(line.tax_minor for line in lines) - original.tax_minor
    if owed <= 0:
        return None
    _tax_periods(lines, periods)
    settlement = _settlement(
        original, total=original.total_minor + owed, still_open=receivables.cancel_open(session, order)
    )
    with_vat = Draft(
        order=order,
        cause=f"order:{order.id}:vat-correction:invoice",
        reason=InvoiceReason.VAT_NUMBER_INVALID,
        lines=lines,
        settlement=settlement,
        corrects=original,
        buyer={**original.buyer, "vat_number": None},
    )
    _, corrected = documents.write_both(session, _reversal(order, original, before), with_vat)
    receivables.owe(session, corrected, settlement.due_minor)
    return corrected


def _settlement(original: Invoice, *, total: int, still_open: int) -> Settlement:
    """Of a document that corrects `original`: what is `still_open` of that is owed on this one instead."""
    paid_before = original.due_minor - still_open
    return Settlement(
        balance_used_minor=original.balance_used_minor,
        paid_before_minor=paid_before,
        to_balance_minor=original.to_balance_minor,
        due_minor=total + original.to_balance_minor - original.balance_used_minor - paid_before,
        payment_due_at=now() + policy().payment_terms,
    )


def credit_vat(session: Session, order: Order, number: str) -> Invoice | None:
    """The number is valid: issue a credit note for the VAT still charged, and credit it to the balance. None if there is no such VAT.

    The caller has locked the order's row and its account.
    """
    original = invoicing.document_in_force(session, order)
    if original is None:
        return None
    periods = _periods(session, order)
    lines = _vat_lines(session, original, periods)
    given = -sum(line.tax_minor for line in lines)
    if given <= 0:
        return None
    for line in lines:
        _untax(periods[line.product_code], line.unused_tax_minor)
    ledger.post_for(session, order, MovementKind.CREDITED, given, cause=Cause.VAT_CREDIT, step="vat_follow_up")
    credit = Draft(
        order=order,
        cause=f"order:{order.id}:vat-credit",
        reason=InvoiceReason.VAT_NUMBER_CONFIRMED,
        lines=lines,
        settlement=Settlement(to_balance_minor=given),
        corrects=original,
        buyer={**original.buyer, "vat_number": number},
    )
    return documents.write(session, credit)


def take_off(session: Session, order: Order) -> None:
    """The number is valid, and what the customer is owed of the VAT a person pays: of what still runs, later changes credit net only.

    The documents stay as they are. The caller has locked the order's row and its account.
    """
    original = invoicing.document_in_force(session, order)
    if original is None:
        return
    periods = _periods(session, order)
    for line in _vat_lines(session, original, periods):
        period, taken_off = periods[line.product_code], line.unused_tax_minor
        if taken_off and period.closed_at is None:
            _untax(period, taken_off)
            facts = {"product": line.product_code, "amount_minor": taken_off}
            timeline.note(session, order.id, Kind.VAT_TAKEN_OFF, facts)


def still_charged(session: Session, order: Order) -> int:
    """The VAT that `credit_vat` would credit."""
    original = invoicing.document_in_force(session, order)
    if original is None:
        return 0
    return -sum(line.tax_minor for line in _vat_lines(session, original, _periods(session, order)))


def _vat_lines(session: Session, original: Invoice, periods: Periods) -> list[InvoiceLine]:
    return [
        _vat_only(original, line, periods[line.product_code], position)
        for position, line in enumerate(invoices.lines_of(session, original))
    ]


def _periods(session: Session, order: Order) -> Periods:
    query = (
        select(Subscription.product_code, SubscriptionPeriod)
        .join(Subscription, Subscription.id == SubscriptionPeriod.subscription_id)
        .where(SubscriptionPeriod.order_id == order.id)
        .execution_options(populate_existing=True)
    )
    return dict(session.execute(query).all())


def _taxed(line: InvoiceLine, period: SubscriptionPeriod, decision: VatDecision) -> InvoiceLine:
    """The line with VAT on its charge, less what later changes credited of it."""
    if line.tax_treatment is not Treatment.REVERSE_CHARGE or decision.rate is None:
        return copy_of(line)
    base = line.charge_minor - (period.unused_minor or 0)
    tax = pricing.tax(net_minor=base, rate=decision.rate)
    return copy_of(
        line,
        tax_rate=decision.rate,
        tax_treatment=decision.treatment,
        tax_base_minor=base,
        charge_tax_minor=tax,
        tax_minor=tax - line.unused_tax_minor,
        total_minor=line.net_minor + tax - line.unused_tax_minor,
    )


def _tax_periods(lines: list[InvoiceLine], periods: Periods) -> None:
    for line in lines:
        period = periods[line.product_code]
        period.tax_minor = line.charge_tax_minor
        period.tax_rate, period.tax_treatment = line.tax_rate, line.tax_treatment


def _vat_only(original: Invoice, line: InvoiceLine, period: SubscriptionPeriod, position: int) -> InvoiceLine:
    """A line that credits, with its VAT, the amount that later changes have not credited, and charges the same net under the reverse charge.

    So only VAT is credited, and the line still states the taxable amount per rate, as article 226 (8) of Directive 2006/112/EC requires.
    """
    base = kept = 0
    if line.tax_treatment is Treatment.DESTINATION_RATE:
        base = period.charged_minor - (period.unused_minor or 0)
        kept = period.tax_minor - (period.unused_tax_minor or 0)
    return copy_of(
        line,
        position=position,
        charge_minor=base,
        unused_minor=base,
        net_minor=0,
        tax_base_minor=base,
        charge_tax_minor=0,
        unused_tax_minor=kept,
        tax_minor=-kept,
        total_minor=-kept,
        tax_rate=Decimal(0),
        tax_treatment=Treatment.REVERSE_CHARGE,
        from_tax_rate=line.tax_rate,
        from_tax_treatment=line.tax_treatment,
        from_tax_country=vat.levied_in(
            line.tax_treatment,
            seller_country=original.seller["country"],
            buyer_country=original.buyer["country"],
        ),
        from_invoice=None,
    )


def _untax(period: SubscriptionPeriod, given_minor: int) -> None:
    if not given_minor:
        return
    period.tax_minor -= given_minor
    if period.closed_at is None:
        period.tax_rate, period.tax_treatment = Decimal(0), Treatment.REVERSE_CHARGE


def _reversal(order: Order, original: Invoice, lines: list[InvoiceLine]) -> Draft:
    return Draft(
        order=order,
        cause=f"order:{order.id}:vat-correction:credit-note",
        reason=InvoiceReason.VAT_NUMBER_INVALID,
        lines=[copy_of(line) for line in lines],
        sign=-1,
        corrects=original,
        buyer=original.buyer,
    )
