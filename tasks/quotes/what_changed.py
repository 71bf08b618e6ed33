"""Finds what has changed since an order was quoted: the reasons shown to the customer, who must confirm it again."""

from collections.abc import Iterator

from models.orders import Order, PricedLine
from models.rules.quote import Quoted
from models.rules.quoted_line import QuotedLine
from tasks.quotes.ordered_cart import Lines
from tasks.quotes.quoting import PricedCart

_COMPARED = (
    "unit_minor",
    "unused_minor",
    "tax_rate",
    "tax_treatment",
    "from_tier",
    "from_seats",
    "from_tax_rate",
    "from_period_id",
)
"""the figures that determine a line's other figures, except the end of its period"""


def since_quoted(order: Order, lines: Lines, priced: PricedCart) -> list[str]:
    """The names of the differences from what the customer confirmed; empty if the digests agree."""
    if priced.quoted.digest == order.digest:
        return []
    changed = {name for old, new in zip(lines, priced.quoted.lines, strict=True) for name in _changed_in(old, new)}
    if _too_little_balance(order, priced.quoted):
        changed.add("balance_used_minor")
    if "tax_treatment" in changed and _number_called_invalid(order, lines, priced):
        changed = changed - {"tax_rate", "tax_treatment"} | {"vat_number"}
    # What remains is how time is counted: another time zone, say, moves the anchor day.
    return sorted(changed) or ["period"]


def _changed_in(old: PricedLine, new: QuotedLine) -> Iterator[str]:
    yield from (name for name in _COMPARED if getattr(old, name) != getattr(new, name))
    if old.period_end != new.period_end:
        yield "period"


def _too_little_balance(order: Order, quoted: Quoted) -> bool:
    """Whether the balance pays less than quoted; if the total has fallen, it need not pay more than the total."""
    return quoted.balance_used_minor < min(order.balance_used_minor, max(quoted.total_minor, 0))


def _number_called_invalid(order: Order, lines: Lines, priced: PricedCart) -> bool:
    """Whether the buyer's data is unchanged but the VAT number no longer counts: then the registry reported it as invalid. Trials have no VAT."""
    same = order.sold_to == priced.sold_to.as_json()
    gone = order.vat_number is not None and priced.vat.number is None
    return same and gone and any(line.interval is not None for line in lines)
