"""Why a cart cannot be ordered, in words a customer can act on, with a pointer to what they sent."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from api_stub.problems import BASE, Problem
from models.rules.cart import Refusal, RefusalCode
from models.subscriptions import SupportCase
from tasks.quoting import CartRefused
from tasks.wiring import policy

SHOWN = 10
"""names in a sentence; the fields have all of them"""

_FIELD = {
    RefusalCode.NOT_A_BILLING_CONTACT: "/contact_id",
    RefusalCode.CORPORATE_ACCOUNT: "/account_id",
    RefusalCode.VAT_NUMBER_INVALID: "/account_id",
    RefusalCode.EMPTY_CART: "/lines",
    RefusalCode.TOO_MANY_LINES: "/lines",
    RefusalCode.NOTHING_CHANGES: "",
    RefusalCode.PRODUCT_TWICE: "/product",
    RefusalCode.UNKNOWN_PRODUCT: "/product",
    RefusalCode.UNKNOWN_TIER: "/tier",
    RefusalCode.LOWER_TIER: "/tier",
    RefusalCode.SEATS_OUT_OF_RANGE: "/seats",
    RefusalCode.SEATS_BELOW_ASSIGNED: "/seats",
    RefusalCode.NOT_FOR_SALE: "/interval",
    RefusalCode.INTERVAL_MISSING: "/interval",
    RefusalCode.INTERVAL_ON_TRIAL: "/interval",
}
"""What a refusal points at, within its line if it has one; `action` unless told here."""

_TEXT = {
    RefusalCode.EMPTY_CART: "The cart is empty; put at least one product into it.",
    RefusalCode.TOO_MANY_LINES: "A cart can have at most {most} lines.",
    RefusalCode.PRODUCT_TWICE: "{product} is in the cart twice; put everything you want of it into one line.",
    RefusalCode.UNKNOWN_PRODUCT: "There is no product {product}.",
    RefusalCode.NOT_FOR_SALE: "The plan {tier} cannot be bought per {interval} in your currency.",
    RefusalCode.INTERVAL_MISSING: "Please choose how to be billed: month or year.",
    RefusalCode.INTERVAL_ON_TRIAL: "A trial is not billed, so it has no billing interval; leave it out.",
    RefusalCode.ALREADY_SUBSCRIBED: "You have {product} already; change the subscription instead.",
    RefusalCode.NO_TRIAL_OFFERED: "{product} has no trial; you can buy it at once.",
    RefusalCode.TRIAL_USED: "You have had a trial of {product}; there is one per product. You can buy it.",
    RefusalCode.NOT_SUBSCRIBED: "You have no subscription to {product} to change; buy it first.",
    RefusalCode.TRIAL_ENDED: "The trial of {product} has ended and cannot be changed; you can buy it.",
    RefusalCode.PERIOD_OVER: "The billing period of {product} has ended; buy it again to go on.",
    RefusalCode.NOTHING_CHANGES: "This is what you have already: choose another plan, number of seats or interval.",
    RefusalCode.VAT_NUMBER_INVALID: "The account's VAT number is not a valid one for {country}; correct or remove it.",
}


def problem(session: Session, refused: CartRefused) -> Problem:
    """The answer to a refused cart. Support cases that were opened for it are found in `session`."""
    reasons = [_reason(refusal, _facts(session, refused, refusal)) for refusal in refused.refusals]
    first = refused.refusals[0]
    return Problem(422, first.code.value, str(reasons[0]["detail"]), refusals=reasons)


def detail(code: RefusalCode, facts: Mapping[str, Any]) -> str:
    """The refusal as a sentence; whatever facts are missing, it says the rest."""
    match code:
        case RefusalCode.NOT_A_BILLING_CONTACT:
            return _ask_billing_contact(facts.get("billing_contacts", ()))
        case RefusalCode.CORPORATE_ACCOUNT:
            return f"Corporate accounts order in the Corporate Billing Portal: {policy().seller.corporate_portal_url}"
        case RefusalCode.UNKNOWN_TIER:
            return f"Please choose one of these plans: {_listed(facts.get('tiers', ()))}."
        case RefusalCode.SEATS_OUT_OF_RANGE:
            return f"Please give the number of seats, from 1 to {facts.get('most')}."
        case RefusalCode.LOWER_TIER:
            return _lower_tier(facts)
        case RefusalCode.SEATS_BELOW_ASSIGNED:
            return (
                f"{len(facts.get('assigned', ()))} users have a seat, which is more than {facts.get('seats')}. Unassign at "
                f"least {facts.get('must_unassign')} first; the last ones assigned were "
                f"{_listed(facts.get('most_recent', ()))}."
            )
    return _TEXT[code].format_map(_Blank(facts))


def pointer(code: RefusalCode, line: int | None) -> str:
    field = _FIELD.get(code, "/action")
    return field if line is None else f"/lines/{line}{field}"


class _Blank(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "it"


def _reason(refusal: Refusal, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **facts,
        "type": BASE + refusal.code.value,
        "pointer": pointer(refusal.code, refusal.line),
        "detail": detail(refusal.code, facts),
    }


def _facts(session: Session, refused: CartRefused, refusal: Refusal) -> dict[str, Any]:
    facts = dict(refusal.facts)
    if refusal.code is RefusalCode.CORPORATE_ACCOUNT:
        facts["portal_url"] = policy().seller.corporate_portal_url
    if refusal.code is RefusalCode.LOWER_TIER:
        query = select(SupportCase.id).where(
            SupportCase.account_id == refused.facts.account.id,
            SupportCase.product_code == facts["product"],
            SupportCase.to_tier == facts["to_tier"],
            SupportCase.closed_at.is_(None),
        )
        case_id = session.scalar(query)
        facts["support_case"] = str(case_id) if case_id else None
    return facts


def _ask_billing_contact(contacts: Sequence[str]) -> str:
    if not contacts:
        return "Only a billing contact may order, and the account has none; have one named first."
    return f"Only a billing contact of the account may order. Please ask {_listed(contacts)}."


def _lower_tier(facts: Mapping[str, Any]) -> str:
    text = f"A lower plan ({facts.get('to_tier')} instead of {facts.get('from_tier')}) cannot be had online."
    if case_id := facts.get("support_case"):
        return f"{text} We have opened support case {case_id} with your wish; support will answer you."
    return f"{text} Please write to {policy().seller.support_email}."


def _listed(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
