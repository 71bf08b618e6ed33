"""Who is registered for VAT: every well-formed number (check digits included), unless it is written down as invalid.

The numbers below are made up; none says anything about a real business.
"""

import sqlite3
from dataclasses import dataclass

from stdnum.eu import vat

COUNTRIES = tuple(sorted({"EL" if country == "gr" else country.upper() for country in vat.MEMBER_STATES}))
"""As VIES names them: Greece is EL, Northern Ireland is XI."""

NAMELESS = frozenset({"DE", "ES"})
"""Member states that do not tell names and addresses through VIES."""

DEREGISTERED = frozenset(
    {
        "ATU11111107",
        "BE0111111124",
        "DE111111109",
        "EL111111102",
        "ESB11111101",
        "FR44111111118",
        "IT11111110018",
        "NL111111109B01",
    }
)
"""Well-formed, check digits right, and not registered."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS numbers (number TEXT PRIMARY KEY, valid INTEGER NOT NULL, name TEXT, address TEXT);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    valid: bool
    name: str = "---"
    address: str = "---"
    """`---` is how VIES writes that it does not say."""


class Register:
    def __init__(self, state: sqlite3.Connection) -> None:
        self._state = state
        state.executescript(SCHEMA)

    def look_up(self, country: str, number: str) -> Entry:
        written = self._state.execute("SELECT * FROM numbers WHERE number = ?", (country + number,)).fetchone()
        if written is not None:
            return _entry(country, bool(written["valid"]), written["name"], written["address"])
        valid = country + number not in DEREGISTERED and bool(vat.is_valid(country + number))
        return _entry(country, valid, None, None)

    def write(self, number: str, *, valid: bool, name: str | None, address: str | None) -> None:
        self._state.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?, ?, ?)", (number, valid, name, address))

    def forget(self) -> None:
        self._state.execute("DELETE FROM numbers")


def _entry(country: str, valid: bool, name: str | None, address: str | None) -> Entry:
    if not valid:
        return Entry(valid=False)
    if country in NAMELESS:
        return Entry(valid=True)
    return Entry(
        valid=True, name=name or f"SAMPLE TRADER {country}", address=address or f"1 SAMPLE STREET\n{country} 1000"
    )
