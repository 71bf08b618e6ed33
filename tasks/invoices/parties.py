"""Seller and buyer of a document: names and addresses [5], VAT numbers [3, 4]."""

import re
from collections.abc import Mapping
from typing import Any, Final

from tasks.letters.wording import Wording
from tasks.plain_text import one_line

_HOUSE_NUMBER: Final = re.compile(
    r"(?:n[.º°o]*\s*)?\d{1,4}\s?(?:[a-z]|bis|ter|quater|quinquies)?(?:[-/][\da-z]{1,4})?\.?", re.IGNORECASE
)


def seller_lines(w: Wording, seller: Mapping[str, Any]) -> tuple[str, ...]:
    lines = [*_address(seller), w.country(seller["country"])]
    if seller.get("vat_number"):
        lines.append(w.say("VAT number %(number)s", number=seller["vat_number"]))
    return *lines, one_line(seller["email"])


def buyer_lines(w: Wording, buyer: Mapping[str, Any]) -> tuple[str, ...]:
    lines = [one_line(buyer["name"])]
    if buyer["contact"] != buyer["name"]:
        lines.append(one_line(buyer["contact"]))
    lines += _address(buyer)
    if buyer.get("postcode") and buyer["postcode"] not in buyer["address"]:
        lines.append(one_line(buyer["postcode"]))
    lines.append(w.country(buyer["country"]))
    if buyer.get("vat_number"):
        lines.append(w.say("VAT number %(number)s", number=buyer["vat_number"]))
    return tuple(lines)


def _address(party: Mapping[str, Any]) -> list[str]:
    """Split at its line breaks or, if it has none, at its commas, but for that between a street and its number."""
    text: str = party["address"]
    parts = text.splitlines() if "\n" in text else _apart(text.split(", "))
    return [one_line(part) for part in parts if part.strip()]


def _apart(parts: list[str]) -> list[str]:
    """A house number alone belongs to the street before it ('Calle de Alcalá, 45') or, as the first part, after it ('12, rue de la Paix')."""
    lines: list[str] = []
    for part in parts:
        is_number = _HOUSE_NUMBER.fullmatch(part.strip()) is not None
        after_street = is_number and lines and not _has_digits(lines[-1])
        after_number = len(lines) == 1 and _HOUSE_NUMBER.fullmatch(lines[0].strip()) and not _has_digits(part)
        if after_street or after_number:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return lines


def _has_digits(text: str) -> bool:
    return any(map(str.isdigit, text))
