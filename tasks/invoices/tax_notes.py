"""What a document must say about its VAT: who owes it [11a], and the legal basis of its treatment."""

from collections.abc import Sequence

from models.invoices import Invoice, InvoiceLine, InvoiceReason
from models.rules.vat import Treatment
from tasks.invoices.row_vat import credited_in, whose_vat
from tasks.letters.tax_notes import treatment_notes
from tasks.letters.wording import Wording


def tax_notes(w: Wording, document: Invoice, lines: Sequence[InvoiceLine]) -> list[str]:
    """As `tasks.letters.tax_notes` words them for the letter.

    A credit note that reverses a document because the VAT number is invalid has no note about the reverse charge, because it says that there is none.
    """
    treatments = {line.tax_treatment for line in lines}
    if document.reason is InvoiceReason.VAT_NUMBER_INVALID and document.sign == -1:
        treatments.discard(Treatment.REVERSE_CHARGE)
    credited = credited_in(lines).values() if whose_vat(document, lines) else ()
    return treatment_notes(w, treatments, country=document.buyer["country"], credited_in=credited)
