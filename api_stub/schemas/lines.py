"""A cart's line as asked for, and a quote's or order's line with its whole arithmetic."""

from typing import Annotated

from pydantic import BaseModel, Field

from api_stub.schemas.amounts import Money, money
from api_stub.schemas.values import Code, Period, Seats, Wanted, rate_text
from models.accounts import Language
from models.orders import PricedLine
from models.rules.cart import Action, CartLine
from models.rules.period import Interval
from models.rules.vat import Treatment


class LineWanted(Wanted):
    """In a change, what is left out stays as it is. A trial has no interval."""

    action: Action = Field(
        description="`purchase`: what the account does not have, or whose period is over; it also turns a trial, running or over, into a subscription, from then on with what is ordered. "
        "`trial`: once per account and product, free, for as long as the catalogue says. `change`: tier, seats or interval of what the account has, "
        "also tier or seats of a running trial, which stays one"
    )
    product: Code = Field(examples=["board"])
    tier: Code | None = Field(default=None, examples=["team"])
    seats: Seats | None = Field(default=None, examples=[10])
    interval: Interval | None = None

    def line(self) -> CartLine:
        return CartLine(self.action, self.product, self.tier, self.seats, self.interval)


LinesWanted = Annotated[list[LineWanted], Field(max_length=100)]
"""a rule sets the real limit, with a better answer; in a list longer than this, the lines are not checked one by one. A body has room for that many"""


class LineBefore(BaseModel):
    """What a change starts from, and how much of its period is left."""

    tier: str
    seats: int
    interval: Interval | None
    period: Period | None
    charged: Money | None = Field(description="what was charged for that period, net")
    tax_rate: str | None
    share_left: int | None = Field(
        description="of `share_whole`, in `share_unit`s: the credit is that part of `charged`"
    )
    share_whole: int | None
    share_unit: str | None


class LineView(BaseModel):
    """One line: plan price less credit is net, with tax it is the total."""

    position: int
    action: Action
    product: str
    tier: str
    seats: int
    interval: Interval | None
    period: Period = Field(description="the billing period that begins with the order")
    unit_price: Money = Field(description="per seat and period, net")
    plan_price: Money = Field(description="all seats for the whole new period, net")
    credit: Money = Field(description="for the rest of the running period, net")
    net: Money
    tax_rate: str = Field(description="per cent", examples=["19"])
    tax_treatment: Treatment
    plan_tax: Money
    credit_tax: Money
    tax: Money
    total: Money
    before: LineBefore | None


def line_view(line: PricedLine, currency: str, language: Language) -> LineView:
    def amount(minor: int) -> Money:
        return money(minor, currency, language)

    return LineView(
        position=line.position,
        action=line.action,
        product=line.product_code,
        tier=line.tier_code,
        seats=line.seats,
        interval=line.interval,
        period=Period(start=line.period_start, end=line.period_end),
        unit_price=amount(line.unit_minor),
        plan_price=amount(line.charge_minor),
        credit=amount(line.unused_minor),
        net=amount(line.net_minor),
        tax_rate=rate_text(line.tax_rate),
        tax_treatment=line.tax_treatment,
        plan_tax=amount(line.charge_tax_minor),
        credit_tax=amount(line.unused_tax_minor),
        tax=amount(line.tax_minor),
        total=amount(line.total_minor),
        before=_before(line, currency, language),
    )


def _before(line: PricedLine, currency: str, language: Language) -> LineBefore | None:
    if line.from_tier is None or line.from_seats is None:
        return None
    period = None
    if line.from_period_start is not None and line.from_period_end is not None:
        period = Period(start=line.from_period_start, end=line.from_period_end)
    charged = line.from_charged_minor
    return LineBefore(
        tier=line.from_tier,
        seats=line.from_seats,
        interval=line.from_interval,
        period=period,
        charged=None if charged is None else money(charged, currency, language),
        tax_rate=None if line.from_tax_rate is None else rate_text(line.from_tax_rate),
        share_left=line.share_left,
        share_whole=line.share_whole,
        share_unit=line.share_unit,
    )
