"""What a document must say about its VAT: who owes it [11a], and what its treatment rests on."""

from collections.abc import Sequence

from models.invoices import Invoice, InvoiceLine, InvoiceReason
from models.rules.vat import Treatment
from tasks.invoices.parties import country
from tasks.letters.wording import Wording


def tax_notes(w: Wording, document: Invoice, lines: Sequence[InvoiceLine]) -> list[str]:
    """In the words of the directive's language versions; Directive 2006/112/EC, articles 44, 58, 196 and 226 (11a).

    What takes a document back because its VAT number is invalid says that there is no reverse charge: there, no note says that there is.
    """
    treatments = {line.tax_treatment for line in lines}
    if document.reason is InvoiceReason.VAT_NUMBER_INVALID and document.sign == -1:
        treatments.discard(Treatment.REVERSE_CHARGE)
    notes: list[str] = []
    if Treatment.REVERSE_CHARGE in treatments:
        notes.append(
            w.say("Reverse charge: the recipient is liable for the VAT (Article 196 of Directive 2006/112/EC).")
        )
    if Treatment.OUT_OF_SCOPE in treatments:
        notes.append(
            w.say(
                "Outside the scope of EU VAT: the place of supply lies outside the territory in which EU VAT applies"
                " (Articles 44 and 58 of Directive 2006/112/EC)."
            )
        )
    if Treatment.DESTINATION_RATE in treatments:
        name = country(w, document.buyer["country"])
        notes.append(w.say("VAT at the rate of the customer's country: %(country)s.", country=name))
    return notes
