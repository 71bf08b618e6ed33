"""All that an answer says of each reason why a cart cannot be ordered, but for its text in the customer's language (`tasks.letters.refusal_texts`)."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from models.rules.refusals import RefusalCode


class Reason(NamedTuple):
    field: str
    """what it points at: of the cart's line if it is about one, else of the request"""
    meaning: str
    """for the OpenAPI document"""
    has: tuple[str, ...] = ()
    """its members; their forms are in `members.FORMS_OF_REASON`"""
    may_have: tuple[str, ...] = ()


_ACTION, _TIER, _SEATS, _INTERVAL, _LINES = "/action", "/tier", "/seats", "/interval", "/lines"
_PRODUCT = ("product",)

REASONS: Final[Mapping[RefusalCode, Reason]] = {
    RefusalCode.NOT_A_BILLING_CONTACT: Reason(
        "/contact_id", "Only the account's billing contacts may order; they are named.", ("billing_contacts",)
    ),
    RefusalCode.CORPORATE_ACCOUNT: Reason(
        "/account_id", "The account orders in the Corporate Billing Portal.", ("portal_url",)
    ),
    RefusalCode.EMPTY_CART: Reason(_LINES, "The cart has no lines."),
    RefusalCode.TOO_MANY_LINES: Reason(_LINES, "More than 50 lines; place several orders.", ("most",)),
    RefusalCode.PRODUCT_TWICE: Reason("/product", "Two lines for one product; make it one.", _PRODUCT),
    RefusalCode.UNKNOWN_PRODUCT: Reason("/product", "The catalogue has no such product.", _PRODUCT),
    RefusalCode.UNKNOWN_TIER: Reason(
        _TIER, "The product has no such tier, or the tier was left out.", ("product", "tier", "tiers")
    ),
    RefusalCode.NOT_FOR_SALE: Reason(
        _INTERVAL,
        "The tier is retired or has no price in this currency (points at the tier), or none for this interval (at the interval).",
        ("product", "tier", "intervals"),
        ("interval",),
    ),
    RefusalCode.SEATS_OUT_OF_RANGE: Reason(
        _SEATS, "From 1 to 1,000,000 seats; only a change may leave them out.", ("seats", "most")
    ),
    RefusalCode.INTERVAL_MISSING: Reason(_INTERVAL, "A purchase needs an interval."),
    RefusalCode.INTERVAL_ON_TRIAL: Reason(_INTERVAL, "A trial has no interval; leave it out."),
    RefusalCode.ALREADY_SUBSCRIBED: Reason(
        _ACTION, "The account has the product; change the subscription instead.", _PRODUCT
    ),
    RefusalCode.NO_TRIAL_OFFERED: Reason(_ACTION, "The product has no trial; purchase it.", _PRODUCT),
    RefusalCode.TRIAL_USED: Reason(_ACTION, "The account has had its one trial of the product; purchase it.", _PRODUCT),
    RefusalCode.NOT_SUBSCRIBED: Reason(_ACTION, "The account does not have the product; purchase it.", _PRODUCT),
    RefusalCode.TRIAL_ENDED: Reason(_ACTION, "The trial is over; purchase the product.", _PRODUCT),
    RefusalCode.PERIOD_OVER: Reason(
        _ACTION, "The subscription's period is over; purchase the product again.", _PRODUCT
    ),
    RefusalCode.PAYMENT_DISPUTED: Reason(
        _ACTION,
        "The customer's bank has taken back the payment of the subscription's period; until that is settled, nothing is changed.",
        _PRODUCT,
    ),
    RefusalCode.PAYMENT_REFUNDED: Reason(
        _ACTION,
        "The change would credit more of the subscription's period than remains paid: the payment went back to the card, or a part of it.",
        ("product", "remains_paid_minor"),
    ),
    RefusalCode.NOTHING_CHANGES: Reason("", "The change changes nothing."),
    RefusalCode.LOWER_TIER: Reason(
        _TIER,
        "Support handles a lower tier, and will get in touch.",
        ("product", "from_tier", "to_tier", "support_case"),
    ),
    RefusalCode.SEATS_BELOW_ASSIGNED: Reason(
        _SEATS, "Fewer seats than assigned users; unassign some first.", ("seats", "must_unassign", "most_recent")
    ),
    RefusalCode.VAT_NUMBER_INVALID: Reason(
        "/account_id", "The VAT number is malformed or of another country; correct or remove it.", ("country",)
    ),
    RefusalCode.ORDER_TOO_LARGE: Reason(
        _LINES, "Charges and their tax are more than 10^15 minor units; place several orders."
    ),
}
