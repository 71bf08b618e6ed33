"""The lines of a document: an order's, frozen with that day's names, or copies of another document's."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.invoices import Invoice, InvoiceLine, in_force
from models.orders import Order, OrderLine, PricedLine
from models.rules.vat import Treatment
from models.subscriptions import SubscriptionPeriod
from tasks import display_names

_OWN = tuple(PricedLine.__annotations__)


def frozen(session: Session, order: Order, lines: Sequence[OrderLine]) -> list[InvoiceLine]:
    """The order's lines, for its own document."""
    names = display_names.of_order(session, order)
    credited = [_credited(session, line) for line in lines]
    return [
        InvoiceLine(
            **{name: getattr(line, name) for name in _OWN},
            product_name=names.product(line.product_code),
            tier_name=names.tier(line.product_code, line.tier_code),
            from_tier_name=names.tier(line.product_code, line.from_tier) if line.from_tier else None,
            from_invoice=charged_by,
            from_tax_treatment=treatment,
            tax_base_minor=line.charge_minor,
        )
        for line, (charged_by, treatment) in zip(lines, credited, strict=True)
    ]


def _credited(session: Session, line: OrderLine) -> tuple[str | None, Treatment | None]:
    """For the period that this line credits: the number of the document that charged it, and the VAT treatment of that charge."""
    if not line.unused_minor:
        return None, None
    of_its_order = (
        select(Invoice.number, SubscriptionPeriod.tax_treatment)
        .join(SubscriptionPeriod, SubscriptionPeriod.order_id == Invoice.order_id)
        .where(SubscriptionPeriod.id == line.from_period_id)
    )
    row = session.execute(in_force(of_its_order)).one_or_none()
    return (None, None) if row is None else (row[0], row[1])


def copy_of(line: PricedLine, **changes: Any) -> InvoiceLine:
    """A copy of the line for another document, not yet in any."""
    columns = [column.key for column in InvoiceLine.__mapper__.column_attrs if column.key != "invoice_id"]
    return InvoiceLine(**{**{name: getattr(line, name) for name in columns}, **changes})
