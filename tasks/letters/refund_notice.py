"""The notice that an order did not come about although it was charged: what was given back, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.states import REFUNDED_BY_SUPPORT
from tasks.letters import enclosed, plans, reasons
from tasks.letters.content import Content, Paragraph, Row, Table, Weight
from tasks.letters.occasion import Occasion
from tasks.letters.payment_words import where_it_went
from tasks.letters.wording import Wording


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded:
    charge_minor: int
    """what went back of what was charged"""
    transferred_minor: int
    """what had been paid by transfer and is balance now"""
    trials_running: Sequence[str]
    """products whose trials the order began and that go on although its money went back, by code"""
    by_bank_minor: int = 0
    """how much of `charge_minor` the customer's bank has taken back: nobody else pays that"""
    otherwise_minor: int = 0
    """how much of it went back in another way than to the card"""
    ran_out: int = 0
    """how many of its purchases were over before their money went back"""

    @property
    def to_card_minor(self) -> int:
        return self.charge_minor - self.by_bank_minor - self.otherwise_minor


def refund_notice(o: Occasion, refunded: Refunded) -> Content:
    w, number = o.w, str(o.order.number)
    was_active = o.order.reason == REFUNDED_BY_SUPPORT
    why = w.say(reasons.UNDONE.get(o.order.reason or "", reasons.UNDONE_OTHERWISE))
    about = w.say("We are writing about your order %(number)s for %(account)s.", number=number, account=o.account.name)
    return Content(
        subject=w.say("Order %(number)s was refunded", number=number)
        if was_active
        else w.say("Order %(number)s was not carried out", number=number),
        title=w.say("Your order was refunded") if was_active else w.say("Your order was not carried out"),
        greeting=o.greeting,
        blocks=(
            Paragraph(f"{about} {why}"),
            Table(title=w.say("You ordered"), rows=tuple(_ordered(o))),
            *_given_back(o, refunded, was_active=was_active),
            *enclosed.told(w, o.enclosed),
            Paragraph(
                " ".join(_what_is_left(o, refunded))
                if was_active
                else w.say("This order has changed nothing about your subscriptions.")
            ),
        ),
        closing=o.closing,
    )


def _what_is_left(o: Occasion, refunded: Refunded) -> Iterator[str]:
    ended = sum(line.interval is not None for line in o.lines) - refunded.ran_out
    if ended:
        yield o.w.say_n("The subscription it bought has ended.", "The subscriptions it bought have ended.", ended)
    if refunded.ran_out:
        yield o.w.say("A period that it paid for was over already; no subscription ends because of that.")
    if refunded.trials_running:
        products = o.w.listed([o.names.product(code) for code in refunded.trials_running])
        yield o.w.say("Your free trial of %(products)s goes on as before.", products=products)


def _ordered(o: Occasion) -> list[Row]:
    return [Row(plans.after(o.w, line, o.names), o.w.money(line.total_minor)) for line in o.lines]


def _given_back(o: Occasion, refunded: Refunded, *, was_active: bool) -> tuple[Table | Paragraph, ...]:
    w = o.w
    amounts = [
        (w.say("Returned by your bank"), refunded.by_bank_minor),
        (where_it_went(w, to_the_card=True, card=o.card), refunded.to_card_minor),
        (where_it_went(w, to_the_card=False, card=o.card), refunded.otherwise_minor),
        (w.say("Returned to your balance"), o.order.balance_used_minor),
        (w.say("Paid by transfer, added to your balance"), refunded.transferred_minor),
        (
            w.say("Taken from your balance: what your payment was rounded up by"),
            -o.order.to_balance_minor if was_active else 0,
        ),
    ]
    rows = [Row(where_to, w.money(minor)) for where_to, minor in amounts if minor]
    if not rows:
        return (Paragraph(w.say("Nothing was charged, so there is nothing to refund.")),)
    rows.append(Row(w.say("Total refunded"), w.money(sum(minor for _, minor in amounts)), Weight.TOTAL))
    return (Table(title=w.say("You get back"), rows=tuple(rows), notes=tuple(_how_it_comes(w, refunded))),)


def _how_it_comes(w: Wording, refunded: Refunded) -> Iterator[str]:
    if refunded.by_bank_minor:
        yield w.say(
            "You have disputed this payment, and your bank returns %(amount)s to you.",
            amount=w.money(refunded.by_bank_minor),
        )
    if refunded.to_card_minor:
        yield w.say("Depending on your bank, a refund takes 5 to 10 business days to appear.")
    if refunded.otherwise_minor:
        yield w.say(
            "%(amount)s could not be refunded to your card, so we refunded it in another way. "
            "Please write to us if it has not reached you.",
            amount=w.money(refunded.otherwise_minor),
        )
