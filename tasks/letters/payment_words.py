"""How an amount is paid, and where a refund went: the same words in a letter and in the document that it brings."""

from datetime import datetime

from models.invoices import ReceivableStatus
from tasks.letters.wording import Wording


def how_it_is_paid(
    w: Wording,
    *,
    due_minor: int,
    payment_due_at: datetime | None,
    card: str | None,
    transfer: ReceivableStatus = ReceivableStatus.OPEN,
) -> str:
    """The label of the amount due. payment_due_at: if it is to be paid by transfer. card: the card's name, if it has one.

    transfer: whether it has come, or is not waited for any more because another document asks for it.
    """
    if not due_minor:
        return w.say("Nothing due")
    if payment_due_at is not None:
        match transfer:
            case ReceivableStatus.PAID:
                return w.say("Paid by bank transfer")
            case ReceivableStatus.CANCELLED:
                return w.say("Invoiced for payment by bank transfer")
        return w.say("Payable by bank transfer, due date %(date)s", date=w.date(payment_due_at))
    return w.say("Charged to %(card)s", card=card) if card else w.say("Charged to your card")


def where_it_went(w: Wording, *, to_the_card: bool, card: str | None) -> str:
    """The label of what was refunded of a charge."""
    if not to_the_card:
        return w.say("Refunded in another way, not to your card")
    return w.say("Refunded to %(card)s", card=card) if card else w.say("Refunded to your card")
