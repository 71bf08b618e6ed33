"""One line of a quote, with its arithmetic: a full new period, less what is left of the running one; a trial costs nothing.

The rules, with worked examples: docs/money.md, sections 2 to 4.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.rules.cart import Action, CartLine, Offer
from models.rules.period import Interval, Period, anchor_day_of, period_end
from models.rules.pricing import charge, tax
from models.rules.proration import Granularity, Share, reset_tax, share_left, unused_credit
from models.rules.vat import VatDecision


@dataclass(frozen=True, slots=True)
class RunningPeriod:
    """What a subscription is paid for at the moment of the change."""

    id: UUID | None
    """None for a trial: nothing was charged"""
    tier: str
    seats: int
    interval: Interval | None
    period: Period
    charged_minor: int
    tax_minor: int
    tax_rate: Decimal
    timezone: str | None = None
    """in which it was charged, so that its days do not depend on where the account is now; None: unknown, the clock's counts"""
    refunded_minor: int = 0
    """what went back, in the provider's dashboard, of the charges that paid for it"""

    @property
    def remains_paid_minor(self) -> int:
        """With tax: more of it is not credited, as that would be given back twice."""
        return max(0, self.charged_minor + self.tax_minor - self.refunded_minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedLine:
    """The same fields as `models.orders.PricedLine`."""

    position: int
    action: Action
    product_code: str
    tier_code: str
    seats: int
    interval: Interval | None
    unit_minor: int = 0
    charge_minor: int = 0
    unused_minor: int = 0
    net_minor: int = 0
    tax_rate: Decimal
    tax_treatment: str
    charge_tax_minor: int = 0
    unused_tax_minor: int = 0
    tax_minor: int = 0
    total_minor: int = 0
    period_start: datetime
    period_end: datetime
    anchor_day: int
    from_tier: str | None = None
    from_seats: int | None = None
    from_interval: Interval | None = None
    from_period_id: UUID | None = None
    from_charged_minor: int | None = None
    from_tax_rate: Decimal | None = None
    from_period_start: datetime | None = None
    from_period_end: datetime | None = None
    share_left: int | None = None
    share_whole: int | None = None
    share_unit: str | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """When the order takes effect, and how time is counted for this account."""

    as_of: datetime
    timezone: str
    """of the period that begins; the one before is counted in its own"""
    granularity: Granularity = Granularity.SECOND


def line_of(
    position: int, wish: CartLine, offer: Offer, held: RunningPeriod | None, vat: VatDecision, clock: Clock
) -> QuotedLine:
    """What `wish` costs. held: the period already paid for, if there is one. Raises RuleError, as `quote.compute` does."""
    is_running_trial = held is not None and held.interval is None and clock.as_of < held.period.end
    running_trial = held if is_running_trial else None
    match wish.action:
        case Action.TRIAL:
            return _trial(position, wish, offer, vat, clock)
        case Action.CHANGE if running_trial is not None:
            return _from_trial(_changed_trial(position, wish, running_trial, vat, clock), running_trial)
        case Action.CHANGE:
            return _charged(position, wish, offer, held, vat, clock)
        case Action.PURCHASE if running_trial is not None:
            return _from_trial(_charged(position, wish, offer, None, vat, clock), running_trial)
        case Action.PURCHASE:
            return _charged(position, wish, offer, None, vat, clock)


def _from_trial(line: QuotedLine, trial: RunningPeriod) -> QuotedLine:
    """The line with what it starts from: a running trial, which cost nothing."""
    return replace(line, from_tier=trial.tier, from_seats=trial.seats)


def _charged(
    position: int, wish: CartLine, offer: Offer, held: RunningPeriod | None, vat: VatDecision, clock: Clock
) -> QuotedLine:
    """A purchase, or a change of something paid for: a full new period from now, less what is left of the running one."""
    tier = wish.tier or (held.tier if held else "")
    seats = wish.seats or (held.seats if held else 0)
    interval = wish.interval or (held.interval if held else None)
    if interval is None or vat.rate is None:
        raise ValueError("a charged line needs an interval and a tax rate; check the cart and the VAT number first")
    unit = offer.prices[tier, interval]
    new_charge = charge(unit_price_minor=unit, seats=seats)
    charge_tax = tax(net_minor=new_charge, rate=vat.rate)
    origin = _origin(held, clock) if held is not None else {}
    net, line_tax = new_charge - origin.get("unused_minor", 0), charge_tax - origin.get("unused_tax_minor", 0)
    period = Period(clock.as_of, period_end(clock.as_of, interval, timezone=clock.timezone))
    return QuotedLine(
        position=position,
        action=wish.action,
        product_code=wish.product,
        tier_code=tier,
        seats=seats,
        interval=interval,
        unit_minor=unit,
        charge_minor=new_charge,
        net_minor=net,
        tax_rate=vat.rate,
        tax_treatment=vat.treatment,
        charge_tax_minor=charge_tax,
        tax_minor=line_tax,
        total_minor=net + line_tax,
        period_start=period.start,
        period_end=period.end,
        anchor_day=anchor_day_of(clock.as_of, clock.timezone),
        **origin,
    )


def _trial(position: int, wish: CartLine, offer: Offer, vat: VatDecision, clock: Clock) -> QuotedLine:
    if offer.trial_days is None:
        raise ValueError(f"{wish.product} has no trial; check the cart first")
    end = clock.as_of + timedelta(days=offer.trial_days)
    return _free(position, wish, wish.tier or "", wish.seats or 0, Period(clock.as_of, end), vat, clock)


def _changed_trial(position: int, wish: CartLine, held: RunningPeriod, vat: VatDecision, clock: Clock) -> QuotedLine:
    """Change seats and tier of a running trial at no charge; its end stays the same."""
    return _free(position, wish, wish.tier or held.tier, wish.seats or held.seats, held.period, vat, clock)


def _free(
    position: int, wish: CartLine, tier: str, seats: int, period: Period, vat: VatDecision, clock: Clock
) -> QuotedLine:
    return QuotedLine(
        position=position,
        action=wish.action,
        product_code=wish.product,
        tier_code=tier,
        seats=seats,
        interval=None,
        tax_rate=vat.rate if vat.rate is not None else Decimal(0),
        tax_treatment=vat.treatment,
        period_start=period.start,
        period_end=period.end,
        anchor_day=anchor_day_of(clock.as_of, clock.timezone),
    )


def _origin(held: RunningPeriod, clock: Clock) -> dict[str, Any]:
    """The running period, what is left of it, and the credit for that with its tax: counted in the zone in which the period was charged."""
    share: Share = share_left(
        period=held.period,
        changed_at=clock.as_of,
        granularity=clock.granularity,
        timezone=held.timezone or clock.timezone,
    )
    unused = unused_credit(charged_minor=held.charged_minor, share=share)
    its_tax = reset_tax(original_tax_minor=held.tax_minor, original_rate=held.tax_rate, unused_minor=unused)
    return {
        "unused_minor": unused,
        "unused_tax_minor": its_tax.credit_tax_minor,
        "from_tier": held.tier,
        "from_seats": held.seats,
        "from_interval": held.interval,
        "from_period_id": held.id,
        "from_charged_minor": held.charged_minor,
        "from_tax_rate": held.tax_rate,
        "from_period_start": held.period.start,
        "from_period_end": held.period.end,
        "share_left": share.remaining,
        "share_whole": share.whole,
        "share_unit": share.unit.value,
    }
