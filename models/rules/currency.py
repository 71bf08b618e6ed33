"""How many decimals each currency has: the minor unit ("exponent") of ISO 4217.

Source: ISO 4217 list one, published by SIX (https://www.six-group.com/en/products-services/financial-information/data-standards.html),
with XCG (2025-03-31), XAD (2025-05-12) and ZWG, without HRK, SLL and ZWL; checked on 2026-11-22 against the
currencies that CLDR 48 (Babel 2.18) calls current and against the count of Debian's iso-codes 4.20.1: 165, and 13 without minor unit.
CLDR's own digits are not used: they say how money is shown (no fils for the Iraqi dinar), not in what unit it is counted.
Codes without a minor unit (XAU, XDR, XTS, XXX and the like) are not money that can be charged, so they are unknown here.
"""

import re
from decimal import Decimal
from typing import Final

from models.rules.errors import RuleError, WrongType


class UnknownCurrency(RuleError):
    """Not an ISO 4217 code with a minor unit."""


_TWO: Final = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC
CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR
KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN
PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS
UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
"""
_ZERO: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE: Final = "BHD IQD JOD KWD LYD OMR TND"
_FOUR: Final = "CLF UYW"
# Withdrawn since 2025; kept because invoices in them may still have to be corrected: ANG (2025), BGN (2026, now EUR).
_LATELY_WITHDRAWN: Final = "ANG BGN"

EXPONENTS: Final[dict[str, int]] = {
    **dict.fromkeys(_ZERO.split(), 0),
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_LATELY_WITHDRAWN.split(), 2),
    **dict.fromkeys(_THREE.split(), 3),
    **dict.fromkeys(_FOUR.split(), 4),
}


def major(minor: int, currency: str) -> str:
    """Minor units as people write them: 1190 EUR -> 11.90, -1190 -> -11.90, 1500 JPY -> 1,500. Raises as `exponent` does."""
    return f"{Decimal(minor).scaleb(-exponent(currency)):,}"


def format_amount(minor: int, currency: str) -> str:
    """For operators, who pay what a message names: 1190 EUR -> 11.90 EUR. (Customers read amounts as their language writes them: `tasks.letters`.)"""
    return f"{major(minor, currency)} {currency}"


def minor(written: str, currency: str) -> int | None:
    """Minor units of an amount as `major` writes it, also without commas: 1,190.00 EUR -> 119000. None for any other text: 11,90 may mean two sums. Raises as `exponent` does."""
    plain = written.replace(",", "")
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,4})?", plain):
        return None
    read = int(Decimal(plain).scaleb(exponent(currency)))
    as_written = major(read, currency)
    return read if written in (as_written, as_written.replace(",", "")) else None


def exponent(currency: str) -> int:
    """Decimals of `currency`'s minor unit: 2 for EUR (cents), 0 for JPY, 3 for KWD.

    currency: ISO 4217 code in capitals.
    Raises UnknownCurrency; WrongType if it is not a string.
    """
    if not isinstance(currency, str):
        raise WrongType(f"currency must be an ISO 4217 code such as 'EUR', got {currency!r}")
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise UnknownCurrency(
            f"{currency!r} is not a currency of ISO 4217 with a minor unit; give a code in capitals such as 'EUR'"
        ) from None
