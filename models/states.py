"""The statuses and steps of an order, and of its charges, refunds and disputes. Each is stored as written here."""

from enum import StrEnum


class OrderStatus(StrEnum):
    OPEN = "open"
    """the chain is at work"""
    AWAITING_PAYMENT_DETAILS = "awaiting_payment_details"
    """neither a usable payment method nor a VAT number accepted for invoicing; the customer adds one"""
    PAYMENT_DECLINED = "payment_declined"
    """the card was refused; the customer gives another method: new attempt, new key"""
    AWAITING_AUTHENTICATION = "awaiting_authentication"
    """3-D Secure; a signed webhook, or the sweep's question, continues it"""
    AWAITING_CONFIRMATION = "awaiting_confirmation"
    """the order would no longer be as quoted; the customer accepts a fresh quote"""
    NEEDS_ATTENTION = "needs_attention"
    """restarted too often, or the provider says we are wrong: a person must look, then resume"""
    COMPLETED = "completed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


FINAL = frozenset({OrderStatus.COMPLETED, OrderStatus.REJECTED, OrderStatus.CANCELLED, OrderStatus.REFUNDED})
WAITING_FOR_CUSTOMER = frozenset(
    {
        OrderStatus.AWAITING_PAYMENT_DETAILS,
        OrderStatus.PAYMENT_DECLINED,
        OrderStatus.AWAITING_AUTHENTICATION,
        OrderStatus.AWAITING_CONFIRMATION,
    }
)

WAITS_WITHOUT_A_CHARGE = WAITING_FOR_CUSTOMER - {OrderStatus.AWAITING_AUTHENTICATION}
"""for the customer; may be cancelled at once"""


AWAITS_PAYMENT = (OrderStatus.AWAITING_PAYMENT_DETAILS, OrderStatus.PAYMENT_DECLINED)
"""until the customer gives other payment details"""


class Step(StrEnum):
    """The steps forward, in order, and those that undo a charge."""

    VALIDATE_CART = "validate_cart"
    COMPUTE_PRORATION = "compute_proration"
    COLLECT_PAYMENT = "collect_payment"
    ACTIVATE_SUBSCRIPTION = "activate_subscription"
    SEND_CONFIRMATION_EMAIL = "send_confirmation_email"
    PROMPT_SEAT_ASSIGNMENT = "prompt_seat_assignment"
    REFUND_PAYMENT = "refund_payment"
    SEND_REFUND_NOTICE = "send_refund_notice"


WAY_FORWARD = (
    Step.VALIDATE_CART,
    Step.COMPUTE_PRORATION,
    Step.COLLECT_PAYMENT,
    Step.ACTIVATE_SUBSCRIPTION,
    Step.SEND_CONFIRMATION_EMAIL,
    Step.PROMPT_SEAT_ASSIGNMENT,
)
NOT_ENTERED_YET: tuple[Step, ...] = ()
"""the step of `WAY_FORWARD` to which only the next release brings orders; processes of this one do it where that has brought one"""
FORWARD = tuple(step for step in WAY_FORWARD if step not in NOT_ENTERED_YET)
BACK = (Step.REFUND_PAYMENT, Step.SEND_REFUND_NOTICE)


UNTIL_CHARGED = WAY_FORWARD[: WAY_FORWARD.index(Step.COLLECT_PAYMENT) + 1]
"""an order before one of these may yet begin a charge"""

AFTER_PAYMENT = (*WAY_FORWARD[WAY_FORWARD.index(Step.COLLECT_PAYMENT) + 1 :], *BACK)
"""how the order is paid is settled: charged, to be invoiced, or nothing was due"""

AFTER_ACTIVATION = WAY_FORWARD[WAY_FORWARD.index(Step.ACTIVATE_SUBSCRIPTION) + 1 :]
"""what was bought is active: too late to cancel"""


def steps_from(step: Step) -> tuple[Step, ...]:
    """`step` and those that follow it: forward, or on the way back where it belongs to that."""
    way = BACK if step in BACK else WAY_FORWARD
    return (step, *(each for each in way[way.index(step) + 1 :] if each not in NOT_ENTERED_YET))


class PaymentKind(StrEnum):
    NOTHING_DUE = "nothing_due"
    CARD = "card"
    INVOICE = "invoice"


class AttemptStatus(StrEnum):
    """The status of a charge attempt."""

    PENDING = "pending"
    """key committed; the provider may or may not have been asked"""
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    CANCELED = "canceled"
    VOID = "void"
    """the provider has no charge under this key, or one that we refund; the key is not used again"""


ATTEMPT_UNDER_WAY = (AttemptStatus.PENDING, AttemptStatus.REQUIRES_ACTION, AttemptStatus.PROCESSING)
ATTEMPT_OVER = frozenset({AttemptStatus.DECLINED, AttemptStatus.CANCELED, AttemptStatus.VOID})
"""the order has no use for money of this attempt: what it took, or yet takes, goes back"""


class RefundState(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class DisputeStatus(StrEnum):
    """The status of a dispute, as the timeline's entries about it name it."""

    INQUIRY = "inquiry"
    """the customer's bank asks about the charge, and has taken nothing yet"""
    CHARGEBACK = "chargeback"
    """the bank has taken the money back, and has not decided yet"""
    WON = "won"
    """the bank has decided for us, and returned the money to us"""
    LOST = "lost"
    """the bank has decided for the customer, who keeps the money"""
    CLOSED = "closed"
    """an inquiry that is over: the bank took nothing"""


TAKEN_BACK = (DisputeStatus.CHARGEBACK, DisputeStatus.LOST)
"""the bank, or the customer, has the money"""

REFUNDED_BY_SUPPORT = "refunded-by-support"
"""the reason of an order that was refunded after it was completed: no other refunded order has been active"""

REFUNDED_BEFORE = "refunded-before"
"""the reason of an order whose charge was found when its money had gone back already, as after a restore from a backup"""


class LetterKind(StrEnum):
    CONFIRMATION = "confirmation"
    TRIAL_WELCOME = "trial_welcome"
    SEAT_PROMPT = "seat_prompt"
    REFUND_NOTICE = "refund_notice"
    VAT_CORRECTION = "vat_correction"


class LetterStatus(StrEnum):
    SENDING = "sending"
    SENT = "sent"
    UNDELIVERABLE = "undeliverable"
