"""Which VAT applies to an order. It depends on the countries of seller and buyer, the type of the buyer, and the VAT number that it gives.

For electronically supplied services, such as these subscriptions. Whether a number exists is a question for VIES, not for this rule.
Sources: Directive 2006/112/EC, articles 44, 58 and 196 (place of supply, reverse charge);
docs/money.md section 6 lists the rules in the order in which they are applied.
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from models.rules import vat_number as numbers
from models.rules.country import country_for_vat
from models.rules.errors import RuleError, WrongType
from models.rules.one_of import one_of
from models.rules.timezone import NaiveDatetime, local, utc
from models.rules.vat_rates import CLOCKS, CURRENCIES, HOME, SINCE, STATES, NoRate, Territory, rate_on, territory_of


class UnknownBuyerType(RuleError):
    """Neither business nor consumer."""


class TooEarly(RuleError):
    """A tax point before the first day whose rates are known."""


class BuyerType(StrEnum):
    """What the buyer says it is."""

    BUSINESS = "business"
    CONSUMER = "consumer"


class Treatment(StrEnum):
    """Who owes VAT, and where."""

    DOMESTIC = "domestic"
    REVERSE_CHARGE = "reverse_charge"
    DESTINATION_RATE = "destination_rate"
    OUT_OF_SCOPE = "out_of_scope"
    INVALID_NUMBER = "invalid_number"


class VatDecision(NamedTuple):
    """treatment; rate in percent, None while the number is invalid; number as VIES wants it, None if it is irrelevant."""

    treatment: Treatment
    rate: Decimal | None
    number: str | None


_NO_VAT: Final = Decimal(0)


def decide(
    *,
    seller_country: str,
    buyer_country: str,
    vat_number: str | None = None,
    buyer_type: BuyerType | str,
    tax_point: date | datetime,
    postcode: str | None = None,
) -> VatDecision:
    """Treatment, rate on the tax point's day, and normalized number. The first rule that fits, in this order:

    1. a place outside the Union's VAT (Büsingen, the Canary Islands; see vat_rates.toml): out_of_scope, 0,
       unless the seller is of its state and that state taxes there (Guadeloupe, Åland): domestic, the place's rate;
    2. the seller's own country, CH and LI being one: domestic, the buyer's rate, whatever the number (kept if it is a business's and good);
    3. a country outside the Union, XI, GB and CH among them: out_of_scope, 0;
    4. a consumer, or a business without a number: destination_rate, the destination's standard rate;
    5. a business with a number that is not one of its country: invalid_number, None; else reverse_charge, 0.

    seller_country, buyer_country: ISO 3166 (EL and XI understood). tax_point: a date, or an aware datetime, whose date in its
    own zone counts (`day_of_supply` says which day it is where the buyer is). postcode: the buyer's. A blank number counts as none.
    Raises UnknownCountry, UnknownBuyerType, TooEarly (before 2024), NoRate (a home country without rates here, such as US),
    NaiveDatetime, WrongType.
    """
    seller, buyer = country_for_vat("seller_country", seller_country), country_for_vat("buyer_country", buyer_country)
    day = _day_of(tax_point)
    kind = one_of(BuyerType, "buyer_type", buyer_type, unknown=UnknownBuyerType)
    if vat_number is not None and not isinstance(vat_number, str):
        raise WrongType(f"vat_number must be a string or None, got {type(vat_number).__name__} {vat_number!r}")
    territory = territory_of(buyer, postcode)
    seller = _state_of(seller)
    buyer = territory.country if territory else buyer
    same_country = _area_of(seller) == _area_of(buyer)
    rate = _rate(buyer, territory, day, same_country=same_country)
    if rate is None:
        return VatDecision(Treatment.OUT_OF_SCOPE, _NO_VAT, None)
    given = vat_number if kind is BuyerType.BUSINESS and not numbers.is_blank(vat_number) else None
    number = numbers.normalized(given, country=buyer) if given is not None and buyer in STATES else None
    if same_country:
        return VatDecision(Treatment.DOMESTIC, rate, number)
    if given is None:
        return VatDecision(Treatment.DESTINATION_RATE, rate, None)
    if number is None:
        return VatDecision(Treatment.INVALID_NUMBER, None, None)
    return VatDecision(Treatment.REVERSE_CHARGE, _NO_VAT, number)


def day_of_supply(moment: datetime, *, buyer_country: str, postcode: str | None = None) -> date:
    """The tax point to give to `decide` for a supply at `moment`: the date at that moment where the buyer is.

    A rate begins at midnight on its country's clock, whatever the time zones of the seller, the server or the account. For a country
    without known rates the date makes no difference; the date in UTC is returned. Raises UnknownCountry, NaiveDatetime, WrongType.
    """
    clock = clock_of(buyer_country, postcode=postcode) or "UTC"
    return local(utc("moment", moment), clock).date()


def clock_of(country: str, *, postcode: str | None = None) -> str | None:
    """The IANA time zone whose days count for VAT in a place; None for a country without known rates. Raises UnknownCountry, WrongType."""
    known = country_for_vat("country", country)
    territory = territory_of(known, postcode)
    return (territory.clock if territory else None) or CLOCKS.get(territory.country if territory else known)


def currency_of(country: str) -> str | None:
    """The currency in which a country's state levies VAT; None for a country without known rates. Raises UnknownCountry, WrongType."""
    return CURRENCIES.get(state_of(country))


def has_numbers(country: str) -> bool:
    """Whether a business there can have a VAT number that `decide` knows: in the Union's member states. Raises UnknownCountry, WrongType."""
    return state_of(country) in STATES


def is_malformed(number: str | None, *, country: str) -> bool:
    """Whether no business there can have this number, by format, check digits or country. A blank one is none.

    Where `has_numbers` is false no number is. Raises UnknownCountry, WrongType.
    """
    state = state_of(country)
    return state in STATES and not numbers.is_blank(number) and numbers.normalized(number or "", country=state) is None


def state_of(country: str) -> str:
    """The state to which a country belongs for VAT: FR for Monaco and Guadeloupe. Raises UnknownCountry, WrongType."""
    return _state_of(country_for_vat("country", country))


def levied_in(treatment: Treatment, *, seller_country: str, buyer_country: str) -> str | None:
    """The state whose VAT is charged under `treatment`; None: no VAT is charged. Raises UnknownCountry, WrongType."""
    match treatment:
        case Treatment.DOMESTIC:
            return state_of(seller_country)
        case Treatment.DESTINATION_RATE:
            return state_of(buyer_country)
    return None


def _rate(buyer: str, territory: Territory | None, day: date, *, same_country: bool) -> Decimal | None:
    """The standard rate where the buyer is; None: no VAT of the Union, and none of the seller's country."""
    special = territory.rates(same_country=same_country) if territory else None
    if special is not None:
        return rate_on(special, day, place=f"{buyer}, postcode of a special territory") if special else None
    if buyer in STATES:
        return rate_on(STATES[buyer], day, place=buyer)
    if not same_country:
        return None
    if buyer not in HOME:
        raise NoRate(f"no tax rate is known for sales at home in {buyer}; add it to vat_rates.toml under [home]")
    return rate_on(HOME[buyer], day, place=buyer)


def _state_of(country: str) -> str:
    """The state that a country code belongs to: FI for Åland's AX, FR for Guadeloupe's GP."""
    territory = territory_of(country, None)
    return territory.country if territory else country


# Swiss VAT act (MWSTG), article 3 lit. a: its territory takes in the customs enclaves, which Liechtenstein is; treaty of
# 28 October 1994 between the two on VAT (SR 0.641.295.142).
_ONE_AREA: Final = {"LI": "CH"}


def _area_of(country: str) -> str:
    """The VAT area of a country: CH for Liechtenstein, otherwise the country itself."""
    return _ONE_AREA.get(country, country)


def _day_of(tax_point: date | datetime) -> date:
    if not isinstance(tax_point, date):
        raise WrongType(f"tax_point must be a date or an aware datetime, got {type(tax_point).__name__} {tax_point!r}")
    if isinstance(tax_point, datetime):
        if tax_point.utcoffset() is None:
            raise NaiveDatetime(f"tax_point {tax_point.isoformat()} has no time zone; give a date or an aware datetime")
        tax_point = tax_point.date()
    if tax_point < SINCE:
        raise TooEarly(
            f"tax_point {tax_point.isoformat()} is before {SINCE.isoformat()}, the first day with known VAT rates"
        )
    return tax_point
