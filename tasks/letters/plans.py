"""What somebody has, as a phrase: '10 seats of Desk Team, billed monthly'."""

from decimal import Decimal

from models.orders import PricedLine
from models.rules.period import Interval
from tasks.letters.names import ProductNames
from tasks.letters.wording import Wording


def _seats_of(w: Wording, plan: str, seats: int, interval: Interval | None) -> str:
    """`plan` is the plan's display name. Without an interval it is a trial."""
    values: dict[str, str | int] = {"seats": seats, "plan": plan}
    match interval:
        case Interval.MONTH:
            return w.say_n(
                "%(seats)s seat of %(plan)s, billed monthly",
                "%(seats)s seats of %(plan)s, billed monthly",
                seats,
                **values,
            )
        case Interval.YEAR:
            return w.say_n(
                "%(seats)s seat of %(plan)s, billed annually",
                "%(seats)s seats of %(plan)s, billed annually",
                seats,
                **values,
            )
        case None:
            return w.say_n(
                "%(seats)s seat of %(plan)s, on a free trial",
                "%(seats)s seats of %(plan)s, on a free trial",
                seats,
                **values,
            )


def after(w: Wording, line: PricedLine, names: ProductNames) -> str:
    """What the customer has once the line is in effect."""
    return _seats_of(w, names.plan(line.product_code, line.tier_code), line.seats, line.interval)


def before(w: Wording, line: PricedLine, names: ProductNames) -> str | None:
    """What a change starts from; None on a line that starts anew."""
    if line.from_tier is None or line.from_seats is None:
        return None
    return _seats_of(w, names.plan(line.product_code, line.from_tier), line.from_seats, line.from_interval)


def span(w: Wording, line: PricedLine) -> str:
    return f"{w.date(line.period_start)} – {w.date(line.period_end)}"


def same_rate(line: PricedLine) -> bool:
    """Whether one tax rate tells the whole of the line's tax: its credit, if any, comes from a period at the same rate."""
    return line.unused_tax_minor == 0 or Decimal(line.tax_rate) == Decimal(line.from_tax_rate or 0)
