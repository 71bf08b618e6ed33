"""The letter after VIES answered late: VAT that is due after all, or VAT that is given back, and why."""

from collections.abc import Iterator

from models.states import PaymentKind
from tasks.letters import enclosed
from tasks.letters.content import Content, Paragraph, Row, Table, Weight
from tasks.letters.occasion import Occasion


def vat_correction(o: Occasion, *, corrected_minor: int) -> Content:
    """corrected_minor: above zero, VAT due after all; below, VAT given back to the balance."""
    table = Table(title=o.w.say("VAT of order %(number)s", number=str(o.order.number)), rows=_rows(o, corrected_minor))
    return _given_back(o, table) if corrected_minor < 0 else _due(o, table)


def _given_back(o: Occasion, table: Table) -> Content:
    w, number = o.w, str(o.order.number)
    return Content(
        subject=w.say("The VAT of order %(number)s is added to your balance", number=number),
        title=w.say("Your VAT number is confirmed"),
        greeting=o.greeting,
        blocks=(
            Paragraph(
                w.say(
                    "When %(account)s placed order %(number)s, we could not check your VAT number in VIES, so VAT was"
                    " charged. VIES has now confirmed the number, and the VAT is added to your balance, which pays for"
                    " future orders first.",
                    account=o.account.name,
                    number=number,
                )
            ),
            table,
            *enclosed.told(w, o.enclosed),
        ),
        closing=o.closing,
    )


def _due(o: Occasion, table: Table) -> Content:
    w, number = o.w, str(o.order.number)
    return Content(
        subject=w.say("VAT is due on order %(number)s", number=number),
        title=w.say("Your VAT number is not valid"),
        greeting=o.greeting,
        blocks=(
            Paragraph(
                w.say(
                    "When %(account)s placed order %(number)s, we could not check your VAT number in VIES, so we"
                    " accepted it for the time being. VIES has now replied that the number is not valid, so VAT is due on"
                    " the order.",
                    account=o.account.name,
                    number=number,
                )
            ),
            table,
            *enclosed.told(w, o.enclosed),
            Paragraph(" ".join(_what_to_do(o))),
        ),
        closing=o.closing,
    )


def _what_to_do(o: Occasion) -> Iterator[str]:
    if o.order.payment_kind is not PaymentKind.INVOICE:
        yield o.w.say("The VAT is not charged to your payment method.")
    yield o.w.say(
        "Please correct or remove the VAT number of your account. You can check it in VIES, the EU's VAT number register."
    )


def _rows(o: Occasion, corrected_minor: int) -> tuple[Row, ...]:
    w = o.w
    rows = [Row(w.say("Corrected by"), w.listed([each.number for each in o.enclosed]))]
    if corrected_minor < 0:
        return *rows, Row(w.say("Added to your balance"), w.money(-corrected_minor), Weight.TOTAL)
    rows.append(Row(w.say("VAT due"), w.money(corrected_minor)))
    for each in o.enclosed:
        if each.owed is not None:
            rows += [
                Row(w.say("Payable by"), w.date(each.owed.due_at)),
                Row(w.say("To pay on %(number)s", number=each.number), w.money(each.owed.amount_minor), Weight.TOTAL),
            ]
    return tuple(rows)
