"""Rebuilds the cart from the lines of an order or a quote, to check and price it again or compare it with another."""

from collections.abc import Sequence

from models.orders import OrderLine, PricedLine, QuoteLine
from models.rules.cart import Action, CartLine

Lines = Sequence[OrderLine | QuoteLine]


def cart_of(lines: Lines) -> list[CartLine]:
    """The cart that these lines came from. What a change left unaltered is None: a request for more seats did not ask for a tier.

    If another order alters the tier first, the change then keeps the tier that this order set.
    """
    return [_cart_line(line) for line in lines]


def _cart_line(line: PricedLine) -> CartLine:
    tier, seats, interval = line.tier_code, line.seats, line.interval
    if line.action is not Action.CHANGE:
        return CartLine(line.action, line.product_code, tier, seats, interval)
    return CartLine(
        line.action,
        line.product_code,
        tier if tier != line.from_tier else None,
        seats if seats != line.from_seats else None,
        interval if interval is not line.from_interval else None,
    )


def same_cart(ordered: Lines, offered: Lines) -> bool:
    """Whether a quote is for what was ordered: the same plans. What a change left unaltered may differ, if another order altered it since."""
    return len(ordered) == len(offered) and all(map(_same, ordered, offered))


def _same(ordered: PricedLine, offered: PricedLine) -> bool:
    if (ordered.action, ordered.product_code) != (offered.action, offered.product_code):
        return False
    asked, asks = _cart_line(ordered), _cart_line(offered)
    same_tier = ordered.tier_code == offered.tier_code or asked.tier is asks.tier is None
    same_seats = ordered.seats == offered.seats or asked.seats is asks.seats is None
    same_interval = ordered.interval is offered.interval or asked.interval is asks.interval is None
    return same_tier and same_seats and same_interval
