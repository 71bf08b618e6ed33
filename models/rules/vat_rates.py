"""Which VAT rate applies where and when: the figures of vat_rates.toml, each with its source and dates."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from models.rules.errors import RuleError, WrongType


class NoRate(RuleError):
    """No rate is known for the place or the date."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`percent` (19 means 19 %) from the first to the last day, None: still in force; `source` is a key of the file's sources."""

    percent: Decimal
    first: date
    last: date | None
    source: str


@dataclass(frozen=True, slots=True)
class Territory:
    """Part of a country where VAT differs. None: the country's standard rate, or its clock. Empty rates: outside the VAT area, so no VAT."""

    name: str
    country: str
    iso: str | None
    postcode: re.Pattern[str]
    abroad: tuple[Rate, ...] | None
    home: tuple[Rate, ...] | None
    clock: str | None
    sources: tuple[str, ...]

    def rates(self, *, same_country: bool) -> tuple[Rate, ...] | None:
        """The rates that apply here, for a seller at home or in another country."""
        return self.home if same_country else self.abroad


def territory_of(country: str, postcode: str | None) -> Territory | None:
    """The special territory that `country` (ISO) names by itself, or that `postcode` lies in; None: an ordinary place.

    postcode: as the customer writes it; blanks, hyphens and a country prefix ("AX-22100", "D-78266") do not matter.
    """
    if postcode is not None and not isinstance(postcode, str):
        raise WrongType(
            f"postcode must be a string, got {type(postcode).__name__} {postcode!r}; a number loses its zeros"
        )
    digits = re.sub(r"^[A-Z]{1,3}(?=[0-9])", "", re.sub(r"[\s\-]", "", (postcode or "").upper()))
    for territory in TERRITORIES:
        if territory.iso == country or (territory.country == country and territory.postcode.fullmatch(digits)):
            return territory
    return None


def rate_on(rates: Sequence[Rate], day: date, *, place: str) -> Decimal:
    """Percent in force on `day`, one of `rates`; place: for the error message.

    Raises NoRate before the first day known.
    """
    for rate in rates:
        if rate.first <= day and (rate.last is None or day <= rate.last):
            return rate.percent
    raise NoRate(f"no VAT rate is known for {place} on {day.isoformat()}; add it to vat_rates.toml with its source")


def _rates(rows: Sequence[Mapping[str, Any]]) -> tuple[Rate, ...]:
    return tuple(Rate(Decimal(row["percent"]), row["from"], row.get("to"), row["source"]) for row in rows)


def _rates_or_word(value: str | Sequence[Mapping[str, Any]]) -> tuple[Rate, ...] | None:
    if isinstance(value, str):
        return {"standard": None, "outside": ()}[value]
    return _rates(value)


def _territory(row: Mapping[str, Any]) -> Territory:
    return Territory(
        name=row["name"],
        country=row["country"],
        iso=row.get("iso"),
        postcode=re.compile(row["postcode"]),
        abroad=_rates_or_word(row["abroad"]),
        home=_rates_or_word(row["home"]),
        clock=row.get("clock"),
        sources=tuple(row["source"]),
    )


_FILE: Final = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"), parse_float=Decimal)

SINCE: Final[date] = _FILE["since"]
CHECKED: Final[date] = _FILE["checked"]
SOURCES: Final[Mapping[str, str]] = _FILE["sources"]
STATES: Final = {country: _rates(rows) for country, rows in _FILE["states"].items()}
HOME: Final = {country: _rates(rows) for country, rows in _FILE["home"].items()}
CLOCKS: Final[Mapping[str, str]] = _FILE["clocks"]
CURRENCIES: Final[Mapping[str, str]] = {country: _FILE["currencies"].get(country, "EUR") for country in CLOCKS}
TERRITORIES: Final = tuple(_territory(row) for row in _FILE["territories"])
