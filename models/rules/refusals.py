"""Why something may not be ordered, as data that an answer can be made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MOST_NAMED = 10
"""people that a refusal names at most: enough billing contacts to reach one, and enough users to start with"""


class RefusalCode(StrEnum):
    NOT_A_BILLING_CONTACT = "not-a-billing-contact"
    CORPORATE_ACCOUNT = "corporate-account"
    EMPTY_CART = "empty-cart"
    TOO_MANY_LINES = "too-many-lines"
    PRODUCT_TWICE = "product-twice"
    UNKNOWN_PRODUCT = "unknown-product"
    UNKNOWN_TIER = "unknown-tier"
    NOT_FOR_SALE = "not-for-sale"
    SEATS_OUT_OF_RANGE = "seats-out-of-range"
    INTERVAL_MISSING = "interval-missing"
    INTERVAL_ON_TRIAL = "interval-on-trial"
    ALREADY_SUBSCRIBED = "already-subscribed"
    NO_TRIAL_OFFERED = "no-trial-offered"
    TRIAL_USED = "trial-used"
    NOT_SUBSCRIBED = "not-subscribed"
    TRIAL_ENDED = "trial-ended"
    PERIOD_OVER = "period-over"
    PAYMENT_DISPUTED = "payment-disputed"
    PAYMENT_REFUNDED = "payment-refunded"
    NOTHING_CHANGES = "nothing-changes"
    LOWER_TIER = "lower-tier"
    SEATS_BELOW_ASSIGNED = "seats-below-assigned"
    VAT_NUMBER_INVALID = "vat-number-invalid"
    ORDER_TOO_LARGE = "order-too-large"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason against the cart; `line` is its index in the cart, None if it is about the whole cart."""

    code: RefusalCode
    line: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """what the answer needs to name: contacts, seats, tiers"""
