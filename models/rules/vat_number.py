"""A VAT number in the form that VIES wants: checked for format, check digits and country, without any request."""

import re
from typing import Any, Final

from stdnum import get_cc_module
from stdnum.exceptions import ValidationError
from stdnum.util import clean

from models.rules.errors import WrongType
from models.rules.vat_rates import STATES

_PREFIX_IN_VIES: Final = {"GR": "EL"}
# Prefixes of other places and schemes: never a member state's business number. EU and IM are the One Stop Shop's.
_FOREIGN: Final = frozenset(STATES) | {"EL", "XI", "GB", "EU", "IM", "CH"}
_RULES: Final[dict[str, Any]] = {country: get_cc_module(country.lower(), "vat") for country in STATES}
_NORTHERN_IRELAND: Final = "XI"
_BRITISH: Final[Any] = get_cc_module("gb", "vat")
_FORM: Final = re.compile(r"[0-9A-Z+*]{2,12}")  # the pattern of vatNumber in the WSDL of VIES


def normalized(number: str, *, country: str) -> str | None:
    """`number` as VIES wants it, such as 'DE136695976'; None unless it is one of `country`.

    country: ISO code of a member state; numbers of Greece begin with EL (GR is understood).
    Case, blanks, dots, hyphens and slashes do not matter; a missing prefix is added. Format and check digits are python-stdnum's.
    """
    if not isinstance(number, str):
        raise WrongType(f"vat_number must be a string, got {type(number).__name__} {number!r}")
    compact = _compact(number)
    own = {country, _PREFIX_IN_VIES.get(country, country)}
    if compact[:2] in own:
        compact = compact[2:]
    elif compact[:2] in _FOREIGN:
        return None
    if not _FORM.fullmatch(compact):
        return None
    # A French number may begin with a country's letters, even with FR; python-stdnum takes these for a prefix, so it gets one.
    prefix = country if compact[:2] in own else ""
    try:
        checked = str(_RULES[country].validate(prefix + compact))
    except ValidationError:
        return None
    # python-stdnum puts back leading zeros that were left out (Belgium, Greece, the Netherlands); nothing else may change.
    if checked.lstrip("0") != compact.lstrip("0") or not _FORM.fullmatch(checked):
        return None
    return _PREFIX_IN_VIES.get(country, country) + checked


def as_requester(number: str | None, *, country: str) -> str | None:
    """A seller's `number` as VIES wants that of who asks. None if VIES does not know such numbers, or if it is none of `country`.

    country: the seller's, ISO code. VIES knows those of member states, and of the United Kingdom's those of Northern Ireland, which begin with XI.
    """
    if number is None:
        return None
    if country in STATES:
        return normalized(number, country=country)
    compact = _compact(number)
    if not compact.startswith(_NORTHERN_IRELAND):
        return None
    try:
        return _NORTHERN_IRELAND + str(_BRITISH.validate(compact))
    except ValidationError:
        return None


def is_blank(number: str | None) -> bool:
    """Nothing but separators: the customer gave no number."""
    return number is None or (isinstance(number, str) and not _compact(number))


def _compact(number: str) -> str:
    return clean("".join(number.split()), " -./,:_'()").upper()
