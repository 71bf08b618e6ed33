"""The lines of a document: an order's, frozen with that day's names, or copies of another document's."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from models.invoices import InvoiceLine
from models.orders import Order, OrderLine, PricedLine
from tasks import display_names
from tasks.billing.credited import credited

_OWN = tuple(PricedLine.__annotations__)


def frozen(session: Session, order: Order, lines: Sequence[OrderLine]) -> list[InvoiceLine]:
    """The order's lines, for its own document."""
    names = display_names.of_order(session, order)
    charges = [credited(session, line) for line in lines]
    return [
        InvoiceLine(
            **{name: getattr(line, name) for name in _OWN},
            product_name=names.product(line.product_code),
            tier_name=names.tier(line.product_code, line.tier_code),
            from_tier_name=names.tier(line.product_code, line.from_tier) if line.from_tier else None,
            from_invoice=charge.number if charge else None,
            from_tax_treatment=charge.treatment if charge else None,
            from_tax_country=charge.country if charge else None,
            tax_base_minor=line.charge_minor,
        )
        for line, charge in zip(lines, charges, strict=True)
    ]


def copy_of(line: PricedLine, **changes: Any) -> InvoiceLine:
    """A copy of the line for another document, not yet in any."""
    columns = [column.key for column in InvoiceLine.__mapper__.column_attrs if column.key != "invoice_id"]
    return InvoiceLine(**{**{name: getattr(line, name) for name in columns}, **changes})
