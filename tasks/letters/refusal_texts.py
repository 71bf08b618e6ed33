"""What a customer reads when a cart is refused: why, and what to do about it."""

from collections.abc import Mapping
from typing import Any, Final

from models.accounts import Language
from models.rules.period import Interval
from models.rules.refusals import MOST_NAMED, Refusal, RefusalCode
from tasks.letters.names import ProductNames
from tasks.letters.wording import Wording, mark
from tasks.policy import Seller

_TEXTS: Final[Mapping[RefusalCode, str]] = {
    RefusalCode.CORPORATE_ACCOUNT: mark(
        "Corporate accounts are managed in the Corporate Billing Portal (%(portal)s). Please order there."
    ),
    RefusalCode.EMPTY_CART: mark("The cart is empty. Please add a product."),
    RefusalCode.TOO_MANY_LINES: mark("An order can have at most %(most)s lines. Please split it into several orders."),
    RefusalCode.PRODUCT_TWICE: mark("%(product)s is in the cart more than once. Please keep one line for it."),
    RefusalCode.UNKNOWN_PRODUCT: mark("We do not offer a product called %(product)s."),
    RefusalCode.SEATS_OUT_OF_RANGE: mark("Please choose a number of seats between 1 and %(most)s."),
    RefusalCode.INTERVAL_MISSING: mark("Please choose monthly or annual billing."),
    RefusalCode.INTERVAL_ON_TRIAL: mark(
        "A trial is free and has no billing frequency. Please leave the frequency out."
    ),
    RefusalCode.ALREADY_SUBSCRIBED: mark(
        "You have %(product)s already. Please change the subscription you have instead."
    ),
    RefusalCode.NO_TRIAL_OFFERED: mark("There is no trial of %(product)s. You can subscribe to it right away."),
    RefusalCode.TRIAL_USED: mark(
        "You have had a trial of %(product)s already; there is one per product. You can subscribe to it right away."
    ),
    RefusalCode.NOT_SUBSCRIBED: mark(
        "You have no subscription to %(product)s to change. Please subscribe to it first."
    ),
    RefusalCode.TRIAL_ENDED: mark(
        "Your trial of %(product)s has ended and can no longer be changed. Please subscribe to go on using it."
    ),
    RefusalCode.PERIOD_OVER: mark(
        "The billing period of %(product)s is over, so there is nothing left to change. Please subscribe anew."
    ),
    RefusalCode.PAYMENT_DISPUTED: mark(
        "Your payment for %(product)s was disputed with your bank, which has taken it back. Until that is settled, the"
        " subscription cannot be changed. Please write to %(support)s."
    ),
    RefusalCode.PAYMENT_REFUNDED: mark(
        "Your payment for %(product)s was refunded, in whole or in part, so what is left of the billing period cannot be"
        " credited for a change at the moment. Please write to %(support)s."
    ),
    RefusalCode.NOTHING_CHANGES: mark(
        "That is what you have already. Please choose another plan, number of seats, or billing frequency."
    ),
    RefusalCode.LOWER_TIER: mark(
        "Moving %(product)s from %(from_tier)s to the lower plan %(to_tier)s is not possible online. We have opened a"
        " support case with all details for you; our team will get in touch. Contact: %(support)s."
    ),
    RefusalCode.VAT_NUMBER_INVALID: mark(
        "The VAT number of your account is not a valid one for %(country)s. Please correct or remove it."
    ),
    RefusalCode.ORDER_TOO_LARGE: mark(
        "The amount of this order is larger than we can bill. Please choose fewer seats, or split it into several orders."
    ),
}

_NOTHING_REMAINS_PAID: Final = mark(
    "Your payment for %(product)s was refunded, so the subscription cannot be changed. Please write to %(support)s."
)


def refusal_text(refusal: Refusal, *, language: Language, seller: Seller, names: ProductNames) -> str:
    """One or a few sentences for `refusal`, with the people, plans and numbers it names."""
    w = Wording(language, "EUR", "UTC")  # no refusal speaks of money or time
    facts = refusal.facts
    match refusal.code:
        case RefusalCode.NOT_A_BILLING_CONTACT:
            return _not_a_billing_contact(w, list(facts.get("billing_contacts", ())), seller)
        case RefusalCode.UNKNOWN_TIER:
            return _unknown_tier(w, facts, names)
        case RefusalCode.NOT_FOR_SALE:
            return _not_for_sale(w, facts, names)
        case RefusalCode.SEATS_BELOW_ASSIGNED:
            return _seats_below_assigned(w, facts)
        case RefusalCode.LOWER_TIER if "support_case" in facts:
            opened = w.say(_TEXTS[RefusalCode.LOWER_TIER], **_named(w, facts, seller, names))
            number = w.say("Number of the support case: %(case)s.", case=str(facts["support_case"]))
            return f"{opened} {number}"
        case RefusalCode.PAYMENT_REFUNDED if facts.get("remains_paid_minor") == 0:
            return w.say(_NOTHING_REMAINS_PAID, **_named(w, facts, seller, names))
        case code:
            return w.say(_TEXTS[code], **_named(w, facts, seller, names))


def _named(w: Wording, facts: Mapping[str, Any], seller: Seller, names: ProductNames) -> dict[str, str | int]:
    product, country = str(facts.get("product", "")), str(facts.get("country", ""))
    return {
        "product": names.product(product),
        "from_tier": names.tier(product, str(facts.get("from_tier", ""))),
        "to_tier": names.tier(product, str(facts.get("to_tier", ""))),
        "most": int(facts.get("most", 0)),
        "country": w.country(country),
        "portal": seller.corporate_portal_url,
        "support": seller.support_email,
    }


def _not_a_billing_contact(w: Wording, contacts: list[str], seller: Seller) -> str:
    if not contacts:
        return w.say(
            "Only a billing contact of the account can order, and the account has none. Please write to %(support)s.",
            support=seller.support_email,
        )
    return w.say(
        "Only a billing contact of the account can order. Please ask: %(contacts)s.", contacts=w.listed(contacts)
    )


def _unknown_tier(w: Wording, facts: Mapping[str, Any], names: ProductNames) -> str:
    for_sale = [_tier(facts, str(code), names) for code in facts.get("tiers", ())]
    if not for_sale:
        return w.say("%(product)s is not for sale in your currency.", product=names.product(facts["product"]))
    tiers = w.one_of(for_sale)
    if facts.get("tier") is None:
        return w.say("Please choose a plan: %(tiers)s.", tiers=tiers)
    return w.say("There is no plan called %(tier)s. Please choose from: %(tiers)s.", tier=facts["tier"], tiers=tiers)


def _not_for_sale(w: Wording, facts: Mapping[str, Any], names: ProductNames) -> str:
    """Orders rejected before `facts` contained the intervals for sale have none there."""
    product, tier = facts.get("product"), str(facts["tier"])
    plan = names.tier_of_any(tier) if product is None else names.plan(str(product), tier)
    match list(facts.get("intervals", ())):
        case [Interval.YEAR]:
            return w.say(
                "%(plan)s is sold with annual billing only in your currency. Please choose annual billing.", plan=plan
            )
        case [Interval.MONTH]:
            return w.say(
                "%(plan)s is sold with monthly billing only in your currency. Please choose monthly billing.", plan=plan
            )
    return w.say("%(plan)s is no longer for sale, or not in your currency. Please choose another plan.", plan=plan)


def _tier(facts: Mapping[str, Any], code: str, names: ProductNames) -> str:
    """A tier's name. Orders rejected before `facts` contained the product have none there."""
    product = facts.get("product")
    return names.tier_of_any(code) if product is None else names.tier(str(product), code)


def _seats_below_assigned(w: Wording, facts: Mapping[str, Any]) -> str:
    surplus, recent = int(facts["must_unassign"]), list(facts["most_recent"])
    named = recent[:MOST_NAMED]  # an older order may have all of them
    if more := surplus - len(named):
        named.append(w.say_n("%(more)s more", "%(more)s more", more, more=more))
    return w.say_n(
        "You have assigned more users than you are asking for seats (%(seats)s). Please unassign %(surplus)s user first;"
        " the most recently assigned is %(users)s.",
        "You have assigned more users than you are asking for seats (%(seats)s). Please unassign %(surplus)s users first;"
        " the most recently assigned are %(users)s.",
        surplus,
        seats=int(facts["seats"]),
        surplus=surplus,
        users=w.listed(named),
    )
