"""Which documents a document corrects or replaces."""

from collections.abc import Sequence

from models.invoices import Invoice, InvoiceKind, InvoiceLine


def corrected(document: Invoice, lines: Sequence[InvoiceLine]) -> list[str]:
    """Their numbers: of the one that it names or, for an order's credit note, of those that charged the credited time.

    Source: Directive 2006/112/EC, article 219.
    """
    if document.corrects_number:
        return [document.corrects_number]
    if document.kind is InvoiceKind.INVOICE:
        return []
    return sorted({line.from_invoice for line in lines if line.from_invoice})
