"""The notice of a refund that a person recorded: it is not sent while what it says is not true, and what its parked order says of that follows the news."""

from sqlalchemy.orm import Session

from models import attention
from models.orders import Order
from models.rules.currency import format_amount
from models.states import LetterKind, OrderStatus, Step
from tasks.refunds import fallen_short, turned_disputes


def why_untrue(session: Session, order: Order) -> str | None:
    """Why the notice is not to be sent; None if it is true."""
    why = turned_disputes.why_untrue(session, order) or fallen_short.why_untrue(session, order)
    return f"{_the_notice(order)} {why}" if why else None


def why_parked(session: Session, order: Order) -> str | None:
    """`why_untrue`, for an order that stands at its notice, and what ends it all the same."""
    why = why_untrue(session, order)
    return (
        f"{why}. `prorata orders resume {order.number} --without-letters` ends the order without the letter"
        if why
        else None
    )


def say_anew(session: Session, order: Order) -> None:
    """Have an order that is parked because of that say what is true now. Call it once news of its refunds or disputes are noted, with its row locked."""
    at_notice = order.status is OrderStatus.NEEDS_ATTENTION and order.next_step is Step.SEND_REFUND_NOTICE
    told = f"{Step.SEND_REFUND_NOTICE}: {_the_notice(order)} says what"
    if at_notice and (order.last_error or "").startswith(told):
        error = why_parked(session, order) or _to_resume(session, order)
        attention.say_instead(order, error=f"{Step.SEND_REFUND_NOTICE}: {error}")


def _to_resume(session: Session, order: Order) -> str:
    """What an order that was parked because of its notice says once that can be sent."""
    notice, resume = _the_notice(order), f"`prorata orders resume {order.number}` sends it"
    if more := fallen_short.beyond_minor(session, order):
        twice = format_amount(more, order.currency)
        return f"{notice} says what was refunded, but {twice} more went to the card, which the customer has twice: tell them. {resume} as it is"
    return f"{notice} says what is true again: {resume}"


def _the_notice(order: Order) -> str:
    return f"the {LetterKind.REFUND_NOTICE} of order {order.number}"
