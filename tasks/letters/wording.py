"""A language with its money, numbers and dates: everything a sentence to a customer is made of."""

import datetime as dt
import re
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, lru_cache
from typing import Final, Literal

from babel import Locale
from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.numbers import NumberPattern, format_decimal, get_currency_symbol, parse_pattern

from models.accounts import Language
from models.rules.currency import exponent
from models.rules.timezone import local
from tasks.locales import translations
from tasks.plain_text import one_line

LOCALES: Final = {
    Language.EN: "en_GB",
    Language.ES: "es",
    Language.DE: "de",
    Language.FR: "fr",
    Language.IT: "it",
}
"""CLDR's locale for each language: its digits, separators and dates."""

Value = str | int

_MINUS: Final = "\N{MINUS SIGN}"
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"

_FORMULA: Final = re.compile("(?<=[×÷−=]) ")
"""the space after a sign, where a line must not end: 'as in 15 ×' is half of a formula"""

_ENDS_A_SENTENCE: Final = re.compile(r"(%\((\w+)\)s)\.(?=\s|$)")
"""a value with which a sentence ends, and its full stop"""

_Joint = Literal["standard", "or"]
"""CLDR's names for 'and' and 'or'"""

_EUPHONY: Final[Mapping[tuple[Language, _Joint], tuple[str, str, re.Pattern[str]]]] = {
    (Language.ES, "standard"): (" y ", " e ", re.compile(r"[ií]|hí|hi(?![aeoáéó])", re.IGNORECASE)),
    (Language.ES, "or"): (" o ", " u ", re.compile(r"h?[oó]", re.IGNORECASE)),
}
"""What 'and' and 'or' become before a word that begins with their own sound: 'Ana e Inés', 'siete u ocho', yet 'agua y hielo'."""


_FIRST_OF_THE_MONTH: Final = {Language.FR: "1er", Language.IT: "1º"}
"""how French and Italian always write it; the EU's style guide for Italian has the sign, too"""


def mark(message: str) -> str:
    """`message` as it is, found by the extraction of messages; `Wording.say` translates it later."""
    return message


@dataclass(frozen=True, slots=True)
class Wording:
    """Speaks `language`, counts in `currency` (ISO 4217), and tells time in `timezone` (IANA)."""

    language: Language
    currency: str
    timezone: str

    @property
    def locale(self) -> Locale:
        return _locale(self.language)

    def in_zone(self, timezone: str) -> "Wording":
        """The same in another time zone."""
        return replace(self, timezone=timezone)

    def say(self, message: str, /, **values: Value) -> str:
        """`message`, translated, with its `%(name)s` filled in; whole numbers in the locale's digits. A formula breaks only before a sign."""
        return self._fill(_FORMULA.sub(_NO_BREAK, translations(self.language).gettext(message)), values)

    def say_n(self, singular: str, plural: str, number: int, /, **values: Value) -> str:
        """The form that fits `number`, translated and filled in."""
        return self._fill(translations(self.language).ngettext(singular, plural, number), values)

    def money(self, minor: int) -> str:
        """Minor units as money: 1190 is '11,90 €' in German, with as many decimals as ISO 4217 gives the currency."""
        return _money(self.language, self.currency, minor)

    def number(self, value: int | Decimal) -> str:
        """A count, or a decimal number with all the digits it has."""
        return _number(self.language, str(value))

    def percent(self, rate: Decimal) -> str:
        """A tax rate: 19 is '19 %' in German, 25.5 is '25.5%' in English."""
        return _percent(self.language, str(rate))

    def date(self, moment: dt.datetime) -> str:
        """The day, written out, in the time zone."""
        return self.day(local(moment, self.timezone).date())

    def day(self, day: dt.date) -> str:
        """A calendar day, written out."""
        return _day(self.language, day)

    def moment(self, moment: dt.datetime, *, to_the_second: bool = False) -> str:
        """Day and time, and how far the zone is from UTC: '1 November 2026, 09:30 UTC+1'. Without brackets, because it often is in some."""
        here = local(moment, self.timezone)
        time = format_time(here.time(), "medium" if to_the_second else "short", locale=self.locale)
        return f"{self.date(moment)}, {time}{_NO_BREAK}{_zone(here)}"

    def listed(self, items: list[str]) -> str:
        """'Ann, Bob and Eve'."""
        return self._joined(items, "standard")

    def one_of(self, items: list[str]) -> str:
        """'Ann, Bob or Eve'."""
        return self._joined(items, "or")

    def country(self, code: str) -> str:
        """A country by its ISO 3166 code: 'ES' is 'Spanien' in German."""
        return str(self.locale.territories.get(code, code))

    def _joined(self, items: list[str], joint: _Joint) -> str:
        items = [one_line(item) for item in items]
        joined = format_list(items, style=joint, locale=self.locale)
        euphony = _EUPHONY.get((self.language, joint))
        if euphony is None or len(items) < 2:
            return joined
        word, instead, begins = euphony
        last = items[-1]
        return joined.removesuffix(word + last) + instead + last if begins.match(last) else joined

    def _fill(self, template: str, values: dict[str, Value]) -> str:
        """A sentence that ends with a name such as 'Rossi S.r.l.' gets no second full stop."""
        filled = {
            name: self.number(value) if isinstance(value, int) else one_line(value) for name, value in values.items()
        }
        if any(value.endswith(".") for value in filled.values()):
            template = _ENDS_A_SENTENCE.sub(
                lambda found: found[1] if filled[found[2]].endswith(".") else found[0], template
            )
        return template % filled


@cache
def _locale(language: Language) -> Locale:
    return Locale.parse(LOCALES[language])


# Cached, because a document and its letters repeat the same few amounts and days. Decimals are cached by their digits, because
# 5 and 5.00 are equal but written differently.


@lru_cache(maxsize=1024)
def _money(language: Language, currency: str, minor: int) -> str:
    amount = Decimal(minor).scaleb(-exponent(currency))
    pattern = _money_pattern(language, currency)
    text = str(pattern.apply(amount, _locale(language), currency=currency, currency_digits=False))
    # CLDR writes a hyphen, which beside the minus of our formulas looks like another sign.
    return text.replace("-", _MINUS)


@lru_cache(maxsize=1024)
def _number(language: Language, digits: str) -> str:
    return format_decimal(Decimal(digits), locale=_locale(language), decimal_quantization=False)


@lru_cache(maxsize=256)
def _percent(language: Language, digits: str) -> str:
    locale = _locale(language)
    return str(locale.percent_formats[None].apply(Decimal(digits) / 100, locale, decimal_quantization=False))


@lru_cache(maxsize=1024)
def _day(language: Language, day: dt.date) -> str:
    text = format_date(day, "long", locale=_locale(language))
    # CLDR has no ordinal for the first of the month.
    first = _FIRST_OF_THE_MONTH.get(language)
    return (re.sub(r"^1 ", f"{first} ", text) if first else text).replace(" ", _NO_BREAK)


def _zone(here: dt.datetime) -> str:
    """Not the zone's name: CET is no word of most languages, and many zones have none."""
    minutes = int((here.utcoffset() or dt.timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    if not minutes:
        return "UTC"
    return f"UTC{'+' if minutes > 0 else _MINUS}{hours}" + (f":{rest:02}" if rest else "")


@cache
def _money_pattern(language: Language, currency: str) -> NumberPattern:
    """The locale's pattern with the currency's own decimals: CLDR's say how cash is shown, not what is charged."""
    locale = _locale(language)
    pattern: NumberPattern = copy(locale.currency_formats["standard"])
    symbol = get_currency_symbol(currency, locale=locale)
    if symbol[-1].isalpha():  # as CLDR's "alphaNextToNumber": KWD 1.234, but €1.23
        pattern = parse_pattern(re.sub(r"¤(?=[#0])", "¤\N{NO-BREAK SPACE}", pattern.pattern))
    pattern.frac_prec = (exponent(currency),) * 2
    return pattern
