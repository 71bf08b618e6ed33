"""What VIES changed of an order after it was completed, and what is still to be paid by transfer, in sentences."""

from models.invoices import Invoice, InvoiceKind, Receivable
from tasks.letters.wording import Wording


def corrected_vat(w: Wording, correction: Invoice) -> tuple[str, ...]:
    """correction: the invoice that charges the VAT after all, or the credit note that gives it back."""
    if correction.kind is InvoiceKind.CREDIT_NOTE:
        given_back = w.say(
            "VIES has since confirmed your VAT number, so VAT is given back: %(vat)s was added to your balance"
            " (%(number)s).",
            vat=w.money(-correction.tax_minor),
            number=correction.number,
        )
        return (given_back,)
    replaced = w.say(
        "VIES has since replied that your VAT number is not valid, so VAT is due after all: invoice %(number)s"
        " replaces the first one.",
        number=correction.number,
    )
    sums = w.say(
        "Net %(net)s and VAT %(tax)s make %(total)s.",
        net=w.money(correction.net_minor),
        tax=w.money(correction.tax_minor),
        total=w.money(correction.total_minor),
    )
    return replaced, sums


def still_owed(invoice: Invoice, owed: Receivable) -> str:
    """In the invoice's language and by its calendar."""
    w = Wording(invoice.language, owed.currency, invoice.timezone)
    return w.say(
        "Payable by bank transfer on invoice %(number)s, due date %(date)s: %(amount)s.",
        number=invoice.number,
        date=w.date(owed.due_at),
        amount=w.money(owed.amount_minor),
    )
