"""May this account order this cart? Returns every reason against it, as data to build an answer from.

Only a billing contact may order, and not for a corporate account. A cart has one line per product, and the catalogue must sell it. A product
has one trial. An active subscription is changed, not bought again: never to a lower tier, never to fewer seats than are assigned, and not
while the customer's bank has the money that was paid for it.
Amounts follow docs/money.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from models.rules.period import Interval
from models.rules.refusals import MOST_NAMED, Refusal, RefusalCode

MAX_SEATS = 1_000_000
MAX_LINES = 50


class Action(StrEnum):
    PURCHASE = "purchase"
    TRIAL = "trial"
    CHANGE = "change"


class SubscriptionStatus(StrEnum):
    TRIALING = "trialing"
    TRIAL_ENDED = "trial_ended"
    ACTIVE = "active"
    ENDED = "ended"


RUNNING = (SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE)
"""the customer can use it"""


@dataclass(frozen=True, slots=True)
class CartLine:
    """What the customer wants. In a change, None means unchanged. A trial has no interval."""

    action: Action
    product: str
    tier: str | None = None
    seats: int | None = None
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class HeldSubscription:
    """The account's subscription to a product today."""

    status: SubscriptionStatus
    tier: str
    tier_rank: int
    seats: int
    interval: Interval | None
    assigned: int = 0
    """how many seats are assigned"""
    most_recent: tuple[str, ...] = ()
    """the users of the last `MOST_NAMED` of them, the latest first"""
    period_over: bool = False
    taken_back: bool = False
    """whether the customer's bank has taken back what was charged for the running period"""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the catalogue sells of a product, in the account's currency."""

    tier_ranks: Mapping[str, int]
    prices: Mapping[tuple[str, Interval], int]
    """(tier, interval) -> minor units per seat and period"""
    trial_days: int | None


@dataclass(frozen=True, slots=True)
class Buyer:
    corporate: bool
    is_billing_contact: bool
    billing_contacts: tuple[str, ...]
    held: Mapping[str, HeldSubscription] = field(default_factory=dict)
    trials_used: frozenset[str] = frozenset()


def refusals(cart: Sequence[CartLine], buyer: Buyer, offers: Mapping[str, Offer]) -> list[Refusal]:
    """Every reason against the cart; empty means it may be ordered.

    For a buyer who may not order at all, that is the only reason: the cart itself is not checked.
    """
    if (refused := _against_buyer(buyer)) is not None:
        return [refused]
    if not cart:
        return [Refusal(RefusalCode.EMPTY_CART)]
    if len(cart) > MAX_LINES:
        return [Refusal(RefusalCode.TOO_MANY_LINES, facts={"most": MAX_LINES})]
    found = [
        Refusal(code, index, facts) for index, line in enumerate(cart) for code, facts in _against(line, buyer, offers)
    ]
    return found + _repeated(cart)


def against_contact(buyer: Buyer) -> Refusal | None:
    """Only an account's billing contacts may order."""
    if buyer.is_billing_contact:
        return None
    named = list(buyer.billing_contacts[:MOST_NAMED])
    return Refusal(RefusalCode.NOT_A_BILLING_CONTACT, facts={"billing_contacts": named})


def _against_buyer(buyer: Buyer) -> Refusal | None:
    """A corporate account orders in the Corporate Billing Portal."""
    refused = against_contact(buyer)
    return Refusal(RefusalCode.CORPORATE_ACCOUNT) if refused is None and buyer.corporate else refused


def _repeated(cart: Sequence[CartLine]) -> list[Refusal]:
    products = [line.product for line in cart]
    return [
        Refusal(RefusalCode.PRODUCT_TWICE, index, {"product": product})
        for index, product in enumerate(products)
        if product in products[:index]
    ]


_Reason = tuple[RefusalCode, dict[str, Any]]


def _against(line: CartLine, buyer: Buyer, offers: Mapping[str, Offer]) -> list[_Reason]:
    offer = offers.get(line.product)
    if offer is None:
        return [(RefusalCode.UNKNOWN_PRODUCT, {"product": line.product})]
    if line.tier is not None and line.tier not in offer.tier_ranks:
        return [_unknown_tier(line, offer)]
    if line.seats is not None and not 1 <= line.seats <= MAX_SEATS:
        return [_out_of_range(line.seats)]
    held = buyer.held.get(line.product)
    match line.action:
        case Action.PURCHASE:
            return _against_purchase(line, held, offer)
        case Action.TRIAL:
            return _against_trial(line, held, offer, used=line.product in buyer.trials_used)
        case Action.CHANGE:
            return _against_change(line, held, offer)


def _against_purchase(line: CartLine, held: HeldSubscription | None, offer: Offer) -> list[_Reason]:
    if held is not None and held.status is SubscriptionStatus.ACTIVE and not held.period_over:
        return [(RefusalCode.ALREADY_SUBSCRIBED, {"product": line.product})]
    if line.tier is None:
        return [_unknown_tier(line, offer)]
    if line.seats is None:
        return [_out_of_range(None)]
    if line.interval is None:
        return [(RefusalCode.INTERVAL_MISSING, {})]
    return _unpriced(line.product, offer, line.tier, line.interval) + _too_few(line.seats, held)


def _against_trial(line: CartLine, held: HeldSubscription | None, offer: Offer, *, used: bool) -> list[_Reason]:
    if used:
        return [(RefusalCode.TRIAL_USED, {"product": line.product})]
    if held is not None and held.status in RUNNING:
        return [(RefusalCode.ALREADY_SUBSCRIBED, {"product": line.product})]
    if offer.trial_days is None:
        return [(RefusalCode.NO_TRIAL_OFFERED, {"product": line.product})]
    if line.interval is not None:
        return [(RefusalCode.INTERVAL_ON_TRIAL, {})]
    if line.tier is None:
        return [_unknown_tier(line, offer)]
    if line.seats is None:
        return [_out_of_range(None)]
    return _not_sold(line.product, offer, line.tier) + _too_few(line.seats, held)


def _against_change(line: CartLine, held: HeldSubscription | None, offer: Offer) -> list[_Reason]:
    if held is None or held.status is SubscriptionStatus.ENDED:
        return [(RefusalCode.NOT_SUBSCRIBED, {"product": line.product})]
    if held.status is SubscriptionStatus.TRIAL_ENDED:
        return [(RefusalCode.TRIAL_ENDED, {"product": line.product})]
    if held.period_over:
        code = RefusalCode.TRIAL_ENDED if held.status is SubscriptionStatus.TRIALING else RefusalCode.PERIOD_OVER
        return [(code, {"product": line.product})]
    if held.taken_back:  # each change credits what is left of the period, and nobody has paid for that
        return [(RefusalCode.PAYMENT_DISPUTED, {"product": line.product})]
    found: list[_Reason] = []
    tier, seats, interval = line.tier or held.tier, line.seats or held.seats, line.interval or held.interval
    if held.status is SubscriptionStatus.TRIALING and interval is not None:
        found.append((RefusalCode.INTERVAL_ON_TRIAL, {}))
        interval = None  # other reasons are reported, too
    if (tier, seats, interval) == (held.tier, held.seats, held.interval):
        return found or [(RefusalCode.NOTHING_CHANGES, {})]
    if offer.tier_ranks.get(tier, held.tier_rank) < held.tier_rank:
        found.append((RefusalCode.LOWER_TIER, {"product": line.product, "from_tier": held.tier, "to_tier": tier}))
    found += _too_few(seats, held)
    if interval is not None:
        found += _unpriced(line.product, offer, tier, interval)
    elif tier != held.tier:
        found += _not_sold(line.product, offer, tier)
    return found


def _too_few(seats: int, held: HeldSubscription | None) -> list[_Reason]:
    """Users keep their seats when a trial ends, so a purchase after it needs seats for them.

    The users are not named: the answer may go to somebody who may not see them.
    """
    over = held.assigned - seats if held is not None else 0
    if held is None or over <= 0:
        return []
    facts = {"seats": seats, "must_unassign": over, "most_recent": list(held.most_recent[: min(over, MOST_NAMED)])}
    return [(RefusalCode.SEATS_BELOW_ASSIGNED, facts)]


def _unknown_tier(line: CartLine, offer: Offer) -> _Reason:
    """The reason with the tiers to choose from, lowest first, without those that are retired or have no price in the account's currency."""
    for_sale = {tier for tier, _ in offer.prices}
    lowest_first = sorted(for_sale & offer.tier_ranks.keys(), key=offer.tier_ranks.__getitem__)
    return RefusalCode.UNKNOWN_TIER, {"product": line.product, "tier": line.tier, "tiers": lowest_first}


def _out_of_range(seats: int | None) -> _Reason:
    return RefusalCode.SEATS_OUT_OF_RANGE, {"seats": seats, "most": MAX_SEATS}


def _not_sold(product: str, offer: Offer, tier: str) -> list[_Reason]:
    """A trial needs a tier that can be bought afterwards. A running one continues even if its tier is retired."""
    if _for_sale(offer, tier):
        return []
    return [(RefusalCode.NOT_FOR_SALE, {"product": product, "tier": tier, "intervals": []})]


def _unpriced(product: str, offer: Offer, tier: str, interval: Interval) -> list[_Reason]:
    for_sale = _for_sale(offer, tier)
    if interval in for_sale:
        return []
    if not for_sale:
        return _not_sold(product, offer, tier)
    facts = {
        "product": product,
        "tier": tier,
        "interval": interval.value,
        "intervals": [each.value for each in for_sale],
    }
    return [(RefusalCode.NOT_FOR_SALE, facts)]


def _for_sale(offer: Offer, tier: str) -> list[Interval]:
    return [interval for interval in Interval if (tier, interval) in offer.prices]
