"""Why an order ended or waits, by the stable code kept with it: one sentence each, in English, marked for translation."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from models.states import REFUNDED_BEFORE, REFUNDED_BY_SUPPORT
from tasks.letters.wording import mark

CANCELLED: Final[Mapping[str, str]] = {
    "cancelled-by-customer": mark("The order was cancelled at your request."),
    "cancelled-by-us": mark("The order was cancelled by us."),
    "customer-did-not-answer": mark("The order was cancelled because it waited too long for an answer."),
}

_OVERTAKEN: Final = mark("Your subscription was changed in the meantime, so the order could no longer be carried out.")

UNDONE: Final[Mapping[str, str]] = {
    **CANCELLED,
    REFUNDED_BY_SUPPORT: mark("Our support team has refunded the order."),
    REFUNDED_BEFORE: mark("The payment had already been refunded."),
    "seats-below-assigned": mark(
        "More users were assigned in the meantime than the order has seats, so the order could not be activated."
    ),
    "not-subscribed": _OVERTAKEN,
    "subscription-changed": _OVERTAKEN,
    "subscription-ended": _OVERTAKEN,
    "already-subscribed": mark("The product was subscribed to by another order in the meantime."),
    "trial-used": mark("The trial of this product was used by another order in the meantime."),
    "payment-disputed": mark(
        "An earlier payment for your subscription was disputed with your bank, which has taken it back, so the"
        " subscription could not be changed."
    ),
    "payment-refunded": mark(
        "An earlier payment for your subscription was refunded in the meantime, in whole or in part, so the subscription"
        " could not be changed."
    ),
    "amount-too-small": mark("The amount is too small to be charged to a card."),
    "amount-too-large": mark("The amount is too large to be charged to a card."),
    "payment-refused": mark("The payment provider does not accept this payment."),
}
"""Why an order ended after it had passed the checks: money went back, or was never taken."""

TO_DO: Final[Mapping[str, str]] = {
    "amount-too-small": mark("Please order more seats or choose annual billing."),
    "amount-too-large": mark("Please choose fewer seats, or split the order into several."),
    "payment-refused": mark("Please write to %(support)s."),
}
"""What a customer can do about a payment that the provider does not take."""

UNDONE_OTHERWISE: Final = mark("The order could not be completed, so we have undone it.")

_WRONG_CVC: Final = mark("The card's security code is incorrect.")
_WRONG_NUMBER: Final = mark("The card's number is incorrect.")

OF_THE_CARD: Final[Mapping[str, str]] = {
    "insufficient_funds": mark("The card does not have sufficient funds."),
    "expired_card": mark("The card has expired."),
    "incorrect_cvc": _WRONG_CVC,
    "invalid_cvc": _WRONG_CVC,
    "incorrect_number": _WRONG_NUMBER,
    "invalid_number": _WRONG_NUMBER,
    "card_velocity_exceeded": mark("The card's limit is exceeded."),
}
"""What may be wrong with a card, whether it is charged or given for charges to come."""

OF_THE_METHOD: Final[Mapping[str, str]] = {
    **OF_THE_CARD,
    "not_a_card": mark("Only cards are accepted."),
}
"""What may be wrong with a payment method when it is given."""

DECLINED: Final[Mapping[str, str]] = {
    **OF_THE_CARD,
    "processing_error": mark("The bank could not process the payment."),
    "authentication_required": mark("The bank asks for the payment to be authenticated."),
    "payment_intent_authentication_failure": mark("The payment was not authenticated."),
}
"""By the provider's decline code. Lost, stolen and suspected cards are not told apart, as the provider asks: the holder may be a thief."""

DECLINED_OTHERWISE: Final = mark("The payment was declined.")
"""True of every code, also of those that may not be told and of those that the provider adds."""

METHOD_REFUSED: Final = mark("The payment method was refused; please provide another.")
"""before anything is charged to it"""

TOO_MANY_DECLINES: Final = mark(
    "Too many payments were declined within a day. Please try again tomorrow, or write to %(support)s."
)

METHOD_NOT_STORED: Final = mark(
    "The payment method could not be stored. This is not due to your card; please try again later."
)
"""where the provider knows no such method: it was made for another account of ours, or is none"""


class Instead(StrEnum):
    """What may be done about a VAT number instead of giving a payment method."""

    GIVE_NUMBER = "give"
    CORRECT_MALFORMED = "correct malformed"
    CORRECT_UNKNOWN = "correct unknown"
    """VIES does not know it"""
    BE_INVOICED = "be invoiced"
    """on the number that the account has"""


INSTEAD_OF_DETAILS: Final[Mapping[Instead, str]] = {
    Instead.GIVE_NUMBER: mark(
        "Your order needs payment details. Please add a payment method or a VAT number; nothing has been charged."
    ),
    Instead.CORRECT_MALFORMED: mark(
        "Your order needs payment details, and the VAT number of your account is not valid. Please correct it or add a"
        " payment method; nothing has been charged."
    ),
    Instead.CORRECT_UNKNOWN: mark(
        "Your order needs payment details, and VIES does not recognise the VAT number of your account. Please correct it"
        " or add a payment method; nothing has been charged."
    ),
    Instead.BE_INVOICED: mark(
        "Your order needs payment details. Please add a payment method, or go on with the VAT number of your account;"
        " nothing has been charged."
    ),
}
INSTEAD_OF_ANOTHER_CARD: Final[Mapping[Instead, str]] = {
    Instead.GIVE_NUMBER: mark("You can also add a VAT number to your account and be invoiced."),
    Instead.CORRECT_MALFORMED: mark("You can also correct the VAT number of your account and be invoiced."),
    Instead.CORRECT_UNKNOWN: mark("You can also correct the VAT number of your account and be invoiced."),
    Instead.BE_INVOICED: mark("You can also be invoiced on the VAT number of your account."),
}
"""after a declined card"""

DIFFERS: Final[Mapping[str, str]] = {
    "unit_minor": mark("the price"),
    "unused_minor": mark("the credit for unused time"),
    "tax_rate": mark("the VAT rate"),
    "tax_treatment": mark("the VAT treatment"),
    "from_tier": mark("the current plan"),
    "from_seats": mark("the current number of seats"),
    "from_tax_rate": mark("the VAT on the credit for unused time"),
    "from_period_id": mark("the running period"),
    "balance_used_minor": mark("the balance"),
    "period": mark("the billing period"),
}
"""What makes an amount other than quoted: to be listed."""

VAT_CHARGED: Final[Mapping[str, str]] = {
    "vat_number": mark("VAT is charged, because VIES does not recognise your VAT number."),
    "vat_registry": mark("VAT is charged, because VIES could not confirm your VAT number."),
}
"""What does so, too, but takes a sentence."""
