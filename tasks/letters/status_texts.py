"""Where an order stands, in one or two sentences for its customer."""

from collections.abc import Mapping
from typing import Any, Final

from models.orders import Order
from models.rules.refusals import Refusal, RefusalCode
from models.states import REFUNDED_BY_SUPPORT, OrderStatus
from tasks.letters import reasons
from tasks.letters.names import ProductNames
from tasks.letters.refusal_texts import refusal_text
from tasks.letters.wording import Wording, mark
from tasks.policy import Seller

_TEXTS: Final[Mapping[OrderStatus, str]] = {
    OrderStatus.OPEN: mark("Your order is being processed."),
    OrderStatus.AWAITING_PAYMENT_DETAILS: mark(
        "Your order needs payment details. Please add a payment method; nothing has been charged."
    ),
    OrderStatus.PAYMENT_DECLINED: mark("Nothing has been charged. Please provide another payment method."),
    OrderStatus.AWAITING_AUTHENTICATION: mark("Your bank asks you to confirm the payment. Please authenticate it."),
    OrderStatus.NEEDS_ATTENTION: mark(
        "Your order is taking longer than usual and our team is looking after it. You do not need to do anything, and you"
        " will not be charged twice."
    ),
    OrderStatus.COMPLETED: mark("Your order is complete."),
    OrderStatus.REJECTED: mark("Your order could not be carried out. Nothing was charged."),
    OrderStatus.CANCELLED: mark("Your order was cancelled. Nothing was charged."),
    OrderStatus.REFUNDED: mark("Your order has been refunded."),
}

GIVEN_BACK: Final[Mapping[OrderStatus, str]] = {
    OrderStatus.PAYMENT_DECLINED: mark("What was charged is refunded to you. Please provide another payment method."),
    OrderStatus.REJECTED: mark("Your order could not be carried out. What was charged is refunded to you."),
    OrderStatus.CANCELLED: mark("Your order was cancelled. What was charged is refunded to you."),
}
"""where money was taken that the order had no use for, late or before a restore: it goes back, or has gone back"""


def briefly(w: Wording, status: OrderStatus, *, given_back: bool) -> str:
    """The status without its reason; not of an order in `awaiting_confirmation`, whose amounts it tells.

    given_back: money was taken for the order, and goes back or has gone back.
    """
    return w.say(GIVEN_BACK.get(status, _TEXTS[status]) if given_back else _TEXTS[status])


def status_text(
    order: Order,
    *,
    seller: Seller,
    names: ProductNames,
    refund_failed: bool,
    given_back: bool,
    instead: reasons.Instead | None = None,
) -> str:
    """instead: of an order that waits for a payment method, what else would do. refund_failed: the order's money was to go back, and has not. given_back: see `briefly`."""
    w = Wording(order.language, order.currency, "UTC")
    status, reason, facts = order.status, order.reason or "", order.reason_facts or {}
    if status is OrderStatus.AWAITING_CONFIRMATION:
        return _amount_differs(w, facts)
    stands = briefly(w, status, given_back=given_back)
    match status:
        case OrderStatus.OPEN if order.cancel_requested_at is not None:
            return w.say("Your order is being cancelled. If anything was charged, it is refunded to you.")
        case OrderStatus.AWAITING_PAYMENT_DETAILS if reason == RefusalCode.VAT_NUMBER_INVALID:
            return w.say(
                "The VAT number of your account is not valid. Please correct or remove it; nothing has been charged."
            )
        case OrderStatus.AWAITING_PAYMENT_DETAILS if instead is not None:
            return w.say(reasons.INSTEAD_OF_DETAILS[instead])
        case OrderStatus.NEEDS_ATTENTION if refund_failed:
            return w.say(
                "The refund of your order failed and our team is looking after it. You do not need to do anything."
            )
        case OrderStatus.PAYMENT_DECLINED:
            why = reasons.DECLINED.get(str(facts.get("decline_code")), reasons.DECLINED_OTHERWISE)
            also = [w.say(reasons.INSTEAD_OF_ANOTHER_CARD[instead])] if instead is not None else []
            return " ".join([w.say(why), stands, *also])
        case OrderStatus.REJECTED if refusals := facts.get("refusals"):
            against = [
                refusal_text(_refusal(each), language=order.language, seller=seller, names=names) for each in refusals
            ]
            return " ".join([stands, *against])
        case OrderStatus.REJECTED if reason in reasons.TO_DO:
            to_do = w.say(reasons.TO_DO[reason], support=seller.support_email)
            return f"{stands} {w.say(reasons.UNDONE[reason])} {to_do}"
        case OrderStatus.CANCELLED if reason in reasons.CANCELLED:
            taken = w.say("What was charged is refunded to you.") if given_back else w.say("Nothing was charged.")
            return f"{w.say(reasons.CANCELLED[reason])} {taken}"
        case OrderStatus.REFUNDED if reason == REFUNDED_BY_SUPPORT:
            return w.say(reasons.UNDONE[reason])
        case OrderStatus.REJECTED | OrderStatus.REFUNDED if reason in reasons.UNDONE:
            return f"{stands} {w.say(reasons.UNDONE[reason])}"
    return stands


def _amount_differs(w: Wording, facts: Mapping[str, Any]) -> str:
    """Both totals; if these agree, both amounts due, because the balance may differ. If these agree too, it is not the amount that differs."""
    due = facts["quoted_total_minor"] == facts["total_minor"]
    quoted, today = ("quoted_due_minor", "due_minor") if due else ("quoted_total_minor", "total_minor")
    changed = [w.say(reasons.DIFFERS[name]) for name in facts["differs"] if name in reasons.DIFFERS]
    said = [_now_and_then(w, facts[today], facts[quoted])]
    if changed:
        said.append(w.say("What has changed: %(what)s.", what=w.listed(changed)))
    said += [w.say(reasons.VAT_CHARGED[name]) for name in facts["differs"] if name in reasons.VAT_CHARGED]
    if "vat_number" in facts["differs"]:
        said.append(w.say("If the number is wrong, please correct it in your account and ask for a new quote."))
    return " ".join(said)


def _now_and_then(w: Wording, today: int, quoted: int) -> str:
    if today == quoted:
        return w.say(
            "The order is no longer as quoted, though the amount is. Nothing has been charged; please confirm it anew."
        )
    return w.say(
        "The amount is now %(amount)s instead of the %(quoted)s quoted. Nothing has been charged; please confirm the new"
        " amount.",
        amount=w.money(today),
        quoted=w.money(quoted),
    )


def _refusal(kept: Mapping[str, Any]) -> Refusal:
    """A refusal as `tasks.quotes.rejection.reject` keeps it with the order."""
    facts = {name: value for name, value in kept.items() if name not in ("code", "line")}
    return Refusal(RefusalCode(kept["code"]), kept.get("line"), facts)
