"""Every sale without VAT under the reverse charge rests on the registry's answer that its number is valid, while no answer is awaited."""

from models.accounts import VatCheckStatus
from models.invoices import InvoiceLine
from models.rules.vat import Treatment
from tasks.ledger_check.books import OrderBook
from tasks.ledger_check.differences import Check, Found, differs


def check_vat_answer(book: OrderBook) -> Found:
    if not any(_is_without_vat(line) for lines in book.invoice_lines.values() for line in lines):
        return
    check, follow_up = book.vat_check, book.vat_follow_up
    if follow_up is not None and follow_up.outcome is None:
        return
    said = [entry.facts.get("answer") for entry in book.vat_followed_up]  # also that it is invalid, and was acted on
    expected = said[-1] if said else VatCheckStatus.VALID
    answered = "what VIES answered about its VAT number"
    yield from differs(Check.VAT, book.where, answered, expected, check.status if check else "nothing")
    if check is not None:
        number = follow_up.number if follow_up else book.order.vat_number
        yield from differs(Check.VAT, book.where, "the VAT number that VIES was asked about", number, check.number)


def _is_without_vat(line: InvoiceLine) -> bool:
    return line.interval is not None and line.tax_treatment is Treatment.REVERSE_CHARGE
