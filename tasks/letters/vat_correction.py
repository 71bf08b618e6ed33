"""The letter after VIES answered late: VAT that is due after all, or VAT that is given back, and why."""

from dataclasses import dataclass
from datetime import datetime

from tasks.letters import enclosed
from tasks.letters.content import Content, Paragraph, Row, Table, Weight
from tasks.letters.occasion import Occasion


@dataclass(frozen=True, slots=True)
class VatCorrection:
    """What was corrected, in minor units of the order's currency."""

    vat_minor: int
    """above zero: VAT due after all; below: VAT given back to the balance"""
    documents: tuple[str, ...] = ()
    """numbers of the invoices and credit notes that correct the order's"""
    due_at: datetime | None = None
    """when VAT due after all is to be paid"""


def vat_correction(o: Occasion, correction: VatCorrection | None) -> Content:
    """Without a correction the letter says what happened, but not how much it comes to."""
    given_back = correction.vat_minor < 0 if correction else bool(o.order.vat_set_aside)
    rows = _rows(o, correction) if correction else ()
    table = (Table(title=o.w.say("VAT of order %(number)s", number=str(o.order.number)), rows=rows),) if rows else ()
    return _given_back(o, table) if given_back else _due(o, table)


def _given_back(o: Occasion, table: tuple[Table, ...]) -> Content:
    w, number = o.w, str(o.order.number)
    return Content(
        subject=w.say("The VAT of order %(number)s is refunded", number=number),
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
            *table,
            *enclosed.told(w, o.enclosed),
        ),
        closing=o.closing,
    )


def _due(o: Occasion, table: tuple[Table, ...]) -> Content:
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
            *table,
            *enclosed.told(w, o.enclosed),
            Paragraph(
                w.say(
                    "The VAT is not charged to your payment method. Please also correct or remove the VAT number of your"
                    " account. You can check it in VIES, the EU's VAT number register."
                )
            ),
        ),
        closing=o.closing,
    )


def _rows(o: Occasion, correction: VatCorrection) -> tuple[Row, ...]:
    w = o.w
    rows = [Row(w.say("Corrected by"), w.listed(list(correction.documents)))] if correction.documents else []
    if correction.vat_minor < 0:
        return *rows, Row(w.say("Added to your balance"), w.money(-correction.vat_minor), Weight.TOTAL)
    rows.append(Row(w.say("VAT due"), w.money(correction.vat_minor)))
    to_pay = [each for each in o.enclosed if each.to_pay_minor]
    if correction.due_at and to_pay:
        rows.append(Row(w.say("Payable by"), w.date(correction.due_at)))
    return *rows, *(
        Row(w.say("To pay on %(number)s", number=each.number), w.money(each.to_pay_minor), Weight.TOTAL)
        for each in to_pay
    )
