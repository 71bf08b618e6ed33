"""The confirmation of an order: its sum and how that is settled, then the details and arithmetic of every line, since mail programs cut long letters short."""

from collections.abc import Mapping

from models.invoices import ReceivableStatus
from models.rules.cart import Action
from models.sold_to import credit_timezones
from tasks.letters import enclosed
from tasks.letters.content import Content, Link, Paragraph, Row, Table, Weight
from tasks.letters.line_table import line_table
from tasks.letters.occasion import Occasion
from tasks.letters.payment_words import how_it_is_paid
from tasks.letters.tax_notes import tax_notes
from tasks.letters.telling import Telling
from tasks.letters.whose_vat import of_two_countries


def confirmation(o: Occasion, *, credited_in: Mapping[int, str]) -> Content:
    """credited_in: whose VAT a line credits, ISO 3166, by position; without lines that credit none."""
    w, number = o.w, str(o.order.number)
    whose_vat = of_two_countries(o.lines, credited_in, seller_country=o.seller.country, buyer_country=o.account.country)
    telling = Telling(
        w=w, names=o.names, in_effect=True, whose_vat=whose_vat, credit_timezones=credit_timezones(o.order)
    )
    return Content(
        subject=w.say("Order %(number)s is confirmed", number=number),
        title=w.say("Your order is complete"),
        greeting=o.greeting,
        blocks=(
            Paragraph(_opening(o)),
            Table(
                title=w.say("Total of order %(number)s", number=number),
                rows=_settlement(o),
                notes=tax_notes(
                    w,
                    o.order,
                    o.lines,
                    country=o.account.country,
                    credited_in=credited_in.values() if whose_vat else (),
                ),
            ),
            *enclosed.told(w, o.enclosed),
            *(line_table(line, telling) for line in o.lines),
            *_renewal(o),
            Link(w.say("Your subscriptions"), o.subscriptions_page),
        ),
        closing=o.closing,
    )


def _opening(o: Occasion) -> str:
    said = o.w.say(
        "Thank you for your order %(number)s for %(account)s. It took effect on %(moment)s and can be used right away.",
        number=str(o.order.number),
        account=o.account.name,
        moment=o.w.moment(o.order.as_of),
    )
    if any(line.action is Action.CHANGE and line.interval is not None for line in o.lines):
        said += " " + o.w.say("Changed subscriptions start a new billing period on that day.")
    return said


def _renewal(o: Occasion) -> tuple[Paragraph, ...]:
    if all(line.interval is None for line in o.lines):
        return ()
    return (
        Paragraph(
            o.w.say(
                "On the renewal date nothing is charged automatically. To go on afterwards, subscribe again from that day"
                " on."
            )
        ),
    )


def _settlement(o: Occasion) -> tuple[Row, ...]:
    w, order = o.w, o.order
    rows = [
        Row(w.say("Net total"), w.money(order.net_minor)),
        Row(w.say("VAT"), w.money(order.tax_minor)),
        Row(w.say("Total"), w.money(order.total_minor), Weight.TOTAL),
    ]
    if order.total_minor < 0:
        return *rows, Row(w.say("Added to your balance"), w.money(order.to_balance_minor), Weight.TOTAL)
    if order.balance_used_minor:
        rows.append(Row(w.say("Paid from your balance"), w.money(-order.balance_used_minor)))
    if order.to_balance_minor:
        rows.append(Row(w.say("Rounding up, added to your balance"), w.money(order.to_balance_minor)))
    due = how_it_is_paid(
        w,
        due_minor=order.due_minor,
        payment_due_at=order.payment_due_at,
        card=o.card,
        transfer=ReceivableStatus.PAID if any(each.paid for each in o.enclosed) else ReceivableStatus.OPEN,
    )
    return *rows, Row(due, w.money(order.due_minor), Weight.TOTAL)
