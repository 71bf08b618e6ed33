"""Seller and buyer of a document: names and addresses [5], VAT numbers [3, 4]."""

from collections.abc import Mapping
from typing import Any

from tasks.letters.wording import Wording
from tasks.plain_text import one_line


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
    """Split at its line breaks or, if it has none, at its commas."""
    text: str = party["address"]
    parts = text.splitlines() if "\n" in text else text.split(", ")
    return [one_line(part) for part in parts if part.strip()]
