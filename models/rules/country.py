"""ISO 3166-1 country codes, and how VAT treats them. Source: ISO 3166-1 alpha-2, as in CLDR 48 (Babel 2.18)."""

from typing import Final

from models.rules.errors import RuleError, WrongType


class UnknownCountry(RuleError):
    """Not an ISO 3166-1 alpha-2 code."""


_CODES: Final = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD
CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF
GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI
SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI
VN VU WF WS YE YT ZA ZM ZW
"""
ISO_3166: Final = frozenset(_CODES.split()) | {"XK"}  # XK: Kosovo, which ISO leaves to its users
# EL is Greece in VIES, XI Northern Ireland there: for services part of the United Kingdom. Monaco counts as France, the Isle
# of Man as the United Kingdom (Directive 2006/112/EC, article 7).
_MEANS: Final = {"EL": "GR", "XI": "GB", "MC": "FR", "IM": "GB"}


def country_for_vat(name: str, code: str) -> str:
    """The ISO code of the country whose VAT rules apply in `code`; error messages call the argument `name`.

    code: ISO 3166-1 alpha-2 in either case, or EL, or XI. Raises UnknownCountry; WrongType if it is not a string.
    """
    if not isinstance(code, str):
        raise WrongType(f"{name} must be an ISO 3166 code such as 'DE', got {type(code).__name__} {code!r}")
    known = code.strip().upper()
    known = _MEANS.get(known, known)
    if known not in ISO_3166:
        raise UnknownCountry(f"{name} {code!r} is not a country of ISO 3166; give two letters such as 'DE'")
    return known
