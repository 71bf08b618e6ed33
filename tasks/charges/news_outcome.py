"""What came of news about a charge."""

from enum import StrEnum


class NewsOutcome(StrEnum):
    """The outcome of an event, as `webhooks_received` stores it for a person to read."""

    NOT_ABOUT_A_CHARGE = "not about a charge"
    NOT_OURS = "not ours"
    UNKNOWN_ORDER = "unknown order"
    UNKNOWN_ATTEMPT = "unknown attempt"
    NOTHING_TO_DO = "nothing to do"
    REOPENED = "reopened"
    """an order that waited for this charge goes on"""
    UNEXPECTED_AND_REFUNDED = "unexpected charge, refund succeeded"
    UNEXPECTED_AND_REFUNDED_BEFORE = "unexpected charge, refunded before"
    UNEXPECTED_AND_DISPUTED = "unexpected charge, disputed"
    """the customer's bank has taken it back, so the provider would refund nothing"""
    UNEXPECTED_AND_LEFT = "unexpected charge, its refunds failed"
    """a person must give it back in another way"""
