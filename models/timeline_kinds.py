"""Kinds of entries in an order's timeline."""

from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What an entry tells. Other kinds are made of a step and its outcome, or of what an order, a letter or a VAT number is now."""

    ORDER_PLACED = "order.placed"
    ORDER_CANCEL_REQUESTED = "order.cancel_requested"
    ORDER_REOPENED = "order.reopened"
    ORDER_RESTARTED = "order.restarted"
    VAT_FOLLOWED_UP = "vat.followed_up"
    VAT_CREDIT_WITHHELD = "vat.credit_withheld"
    """VAT that is not due is not credited, as the customer's bank has it"""
    VAT_TAKEN_OFF = "vat.taken_off"
    """of a product's period that still runs, as VAT that is not due is left to a person: later changes credit net only"""
    INVOICE_PAID = "invoice.paid"
    INVOICE_UNPAID = "invoice.unpaid"
    CHARGE_ATTEMPTED = "charge.attempted"
    CHARGE_UNEXPECTED = "charge.unexpected"
    """money arrived on an attempt that we had given up"""
    CHARGE_UNKNOWN = "charge.unknown"
    """the order has ended without a charge that was made for it, by an attempt that we do not know"""
    CHARGE_DISPUTED = "charge.disputed"
    """the dispute is an inquiry or a chargeback now"""
    DISPUTE_CLOSED = "dispute.closed"
    """how it has ended"""
    DISPUTE_SETTLED = "dispute.settled"
    """a person says that what the customer's bank took was paid again, or is left to the customer"""
    ACTIVATION_FAILED = "activation.failed"
    LETTER_SEND_AGAIN = "letter.send_again"
    LETTER_NOT_SENT = "letter.not_sent"
    LETTER_UNANSWERED = "letter.unanswered"
    REFUND_REQUESTED = "refund.requested"
    REFUND_ATTEMPTED = "refund.attempted"
    REFUND_AWAITING_FUNDS = "refund.awaiting_funds"
    REFUND_FAILED = "refund.failed"
    REFUND_REFUSED = "refund.refused"
    """unexpected money does not go back by itself, or is owed no more: the newest of a charge counts; with `attempt`, if the provider refuses a refund that is not said to be disputed"""
    REFUND_ELSEWHERE = "refund.elsewhere"
    REFUND_ELSEWHERE_FAILED = "refund.elsewhere_failed"
    REFUND_UNKNOWN = "refund.unknown"
    """made by us, in an attempt that we do not know: a restored database has forgotten it"""
    REFUND_UNKNOWN_FAILED = "refund.unknown_failed"
    REFUND_SETTLED_OUTSIDE = "refund.settled_outside"
    """a person recorded a refund as made by other means; a dispute that is noted as lost before it counts as a part of that"""


DISPUTED: Final = (Kind.CHARGE_DISPUTED, Kind.DISPUTE_CLOSED)
"""entries about a dispute"""
WENT_BACK: Final = (Kind.REFUND_ELSEWHERE, Kind.REFUND_UNKNOWN)
"""entries about refunds that were made, but not by an attempt of which we have a row"""
CAME_BACK: Final = (Kind.REFUND_ELSEWHERE_FAILED, Kind.REFUND_UNKNOWN_FAILED)
"""entries that such a refund failed later"""
