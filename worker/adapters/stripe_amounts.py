"""Minor units of ISO 4217 against what Stripe's API takes (https://docs.stripe.com/currencies, "Special cases").

Stripe counts ISK and UGX in hundredths although they have none, and MGA in whole units although it has fractions.
Amounts with three decimals must end in 0; Stripe refuses others, nothing is rounded here. Its page names KWD, BHD, JOD, OMR and TND; we
apply the same rule to IQD and LYD, which have three decimals too.
"""

from models.rules.currency import exponent
from tasks.errors import Refused

_HUNDREDTHS = frozenset({"ISK", "UGX"})


def charge_unit(currency: str) -> int:
    """The smallest amount, in ISO minor units, that every charge must be a multiple of."""
    if currency == "MGA":
        return 100
    return 10 if exponent(currency) == 3 else 1


def to_stripe(amount_minor: int, currency: str) -> int:
    """Raises Refused where Stripe has no exact amount for it."""
    if currency == "MGA":
        whole, rest = divmod(amount_minor, 100)
        if rest:
            raise Refused("Stripe charges MGA in whole units only", code="amount_not_representable")
        return whole
    return amount_minor * 100 if currency in _HUNDREDTHS else amount_minor


def from_stripe(amount: int, currency: str) -> int:
    currency = currency.upper()
    if currency == "MGA":
        return amount * 100
    return amount // 100 if currency in _HUNDREDTHS else amount
