"""What a cart costs: every line with its arithmetic, their sum, and how the sum is settled. Pure; equal inputs, equal quote.

The rules, with worked examples: docs/money.md, sections 2 to 5.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from models.rules.cart import Action, CartLine, Offer
from models.rules.money import round_up_to
from models.rules.quoted_line import Clock, QuotedLine, RunningPeriod, line_of
from models.rules.vat import VatDecision

MOST_MINOR = 10**15
"""what the charges of an order and their tax add up to at most. JSON's readers still hold it exactly (below 2^53), and a balance, which is a bigint, has room for thousands of such orders"""


@dataclass(frozen=True, slots=True)
class Quoted:
    """total = net + tax over all lines. The balance pays first and the rest is due; a negative total is added to the balance.

    due = total - balance used + what becomes balance, always.
    """

    lines: tuple[QuotedLine, ...]
    net_minor: int
    tax_minor: int
    total_minor: int
    balance_used_minor: int
    due_minor: int
    to_balance_minor: int
    needs_payment_details: bool
    digest: str

    @property
    def is_too_large(self) -> bool:
        """Whether it is more than `MOST_MINOR`, before credits and balance."""
        return sum(line.charge_minor + line.charge_tax_minor for line in self.lines) > MOST_MINOR


def compute(
    cart: Sequence[CartLine],
    *,
    offers: Mapping[str, Offer],
    running: Mapping[str, RunningPeriod],
    vat: VatDecision,
    balance_minor: int,
    clock: Clock,
    charge_unit_minor: int = 1,
) -> Quoted:
    """Price a cart that `models.rules.cart.refusals` does not refuse.

    vat: must have a rate (refuse an invalid number before). balance_minor: what the account has to spend, not negative.
    charge_unit_minor: every charge must be a multiple of it. The amount due is rounded up to it and the difference becomes balance.
    Raises RuleError where amounts or times make no sense.
    """
    lines = tuple(
        line_of(i, wish, offers[wish.product], running.get(wish.product), vat, clock) for i, wish in enumerate(cart)
    )
    net, taxes = sum(line.net_minor for line in lines), sum(line.tax_minor for line in lines)
    total = net + taxes
    settled = settle(total, balance_minor=balance_minor, charge_unit_minor=charge_unit_minor)
    return Quoted(
        lines=lines,
        net_minor=net,
        tax_minor=taxes,
        total_minor=total,
        balance_used_minor=settled.balance_used_minor,
        due_minor=settled.due_minor,
        to_balance_minor=settled.to_balance_minor,
        needs_payment_details=needs_payment_details(total, (line.action for line in lines)),
        digest=_digest(lines, settled.balance_used_minor),
    )


class Settled(NamedTuple):
    """How a total is settled; see `Quoted`."""

    balance_used_minor: int
    due_minor: int
    to_balance_minor: int


def settle(total_minor: int, *, balance_minor: int, charge_unit_minor: int) -> Settled:
    """The balance pays first; the rest is due, rounded up to an amount that can be charged; any excess becomes balance.

    >>> settle(10_001, balance_minor=0, charge_unit_minor=10)
    Settled(balance_used_minor=0, due_minor=10010, to_balance_minor=9)
    """
    owed = max(total_minor, 0)
    from_balance = min(owed, balance_minor)
    unpaid = owed - from_balance
    due = round_up_to(unpaid, charge_unit_minor)
    return Settled(from_balance, due, max(-total_minor, 0) + due - unpaid)


def needs_payment_details(total_minor: int, actions: Iterable[Action]) -> bool:
    """Rule 9: payment details are needed where the total is above zero, and for every purchase."""
    return total_minor > 0 or Action.PURCHASE in actions


def _digest(lines: Sequence[QuotedLine], from_balance: int) -> str:
    facts = {"lines": [asdict(line) for line in lines], "balance_used_minor": from_balance}
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return value.isoformat() if isinstance(value, datetime) else str(value)
