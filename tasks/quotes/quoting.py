"""Checks and prices a cart for an account at one instant: the refusals, or what it costs. Placement and the steps share this code."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from models import cart_facts
from models.accounts import Account, VatCheck, VatCheckStatus
from models.cart_facts import CartFacts
from models.orders import Quote, QuoteLine
from models.prepared import Prepared
from models.rules import cart as cart_rules
from models.rules import quote as quote_rules
from models.rules import vat
from models.rules.cart import CartLine
from models.rules.quote import Quoted
from models.rules.quoted_line import Clock
from models.rules.refusals import Refusal, RefusalCode
from models.sold_to import SoldTo
from tasks.policy import Policy
from tasks.wiring import payments


@dataclass(frozen=True, slots=True, kw_only=True)
class PricingTerms:
    """What the price of a cart depends on besides its account."""

    as_of: datetime
    """when it is to take effect"""
    policy: Policy
    priced_at: datetime | None = None
    """the instant whose prices apply; None for `as_of`"""
    vat_set_aside: bool = False
    """charge VAT although there is a number"""
    reserved_minor: int = 0
    """balance already reserved for this very order, which it may spend too"""
    most_balance_minor: int | None = None
    """how much balance it may spend, None for all. It keeps a balance that has grown since from changing a quote's amount"""

    def spendable(self, balance_minor: int) -> int:
        """How much the cart may spend of an account's balance."""
        balance = balance_minor + self.reserved_minor
        return balance if self.most_balance_minor is None else min(balance, self.most_balance_minor)


@dataclass(frozen=True, slots=True)
class PricedCart:
    """A priced cart, not yet offered to anybody."""

    facts: CartFacts
    sold_to: SoldTo
    vat: vat.VatDecision
    quoted: Quoted


class CartRefused(Exception):
    """The account may not order this cart; `refusals` says why, each with what a person needs to fix it."""

    def __init__(self, refusals: Sequence[Refusal], facts: CartFacts) -> None:
        super().__init__(", ".join(refusal.code for refusal in refusals))
        self.refusals = tuple(refusals)
        self.facts = facts


def price(
    session: Session,
    *,
    account_id: UUID,
    contact_id: UUID | None,
    cart: Sequence[CartLine],
    terms: PricingTerms,
    known: CartFacts | None = None,
) -> PricedCart:
    """Price `cart`. known: what `check` returned in this same transaction.

    Raises CartRefused, UnknownAccount; RuleError, for example where `terms.as_of` is outside the period that a change starts from.
    """
    found = known or check(
        session, account_id=account_id, contact_id=contact_id, cart=cart, as_of=terms.as_of, priced_at=terms.priced_at
    )
    decision = decide_vat(session, found.account, terms.policy, tax_point=terms.as_of, set_aside=terms.vat_set_aside)
    if decision.treatment is vat.Treatment.INVALID_NUMBER:
        raise CartRefused([Refusal(RefusalCode.VAT_NUMBER_INVALID, facts={"country": found.account.country})], found)
    quoted = quote_rules.compute(
        cart,
        offers=found.offers,
        running=found.running,
        vat=decision,
        balance_minor=terms.spendable(found.balance_minor),
        clock=Clock(as_of=terms.as_of, timezone=found.account.timezone, granularity=terms.policy.granularity),
        charge_unit_minor=payments().charge_unit(found.account.currency),
    )
    if against := _more_than_remains_paid(found, quoted):
        raise CartRefused(against, found)
    if quoted.is_too_large:
        raise CartRefused([Refusal(RefusalCode.ORDER_TOO_LARGE)], found)
    return PricedCart(found, _sold_to(found, quoted), decision, quoted)


def _more_than_remains_paid(found: CartFacts, quoted: Quoted) -> list[Refusal]:
    """A refusal of each change that would credit what went back to the card already."""
    remains = {product: running.remains_paid_minor for product, running in found.running.items()}
    return [
        Refusal(
            RefusalCode.PAYMENT_REFUNDED,
            line.position,
            {"product": line.product_code, "remains_paid_minor": remains[line.product_code]},
        )
        for line in quoted.lines
        if line.from_period_id is not None and line.unused_minor + line.unused_tax_minor > remains[line.product_code]
    ]


def _sold_to(found: CartFacts, quoted: Quoted) -> SoldTo:
    today = SoldTo.today(found.account)
    credited = (line.product_code for line in quoted.lines if line.from_period_id is not None)
    zones = {product: found.running[product].timezone for product in credited}
    elsewhere = {product: zone for product, zone in zones.items() if zone and zone != today.timezone}
    return replace(today, credit_timezones=elsewhere)


def check(
    session: Session,
    *,
    account_id: UUID,
    contact_id: UUID | None,
    cart: Sequence[CartLine],
    as_of: datetime,
    priced_at: datetime | None,
) -> CartFacts:
    """The facts that determine the price of `cart`, if it may be ordered. Raises CartRefused, UnknownAccount."""
    products = [line.product for line in cart]
    found = cart_facts.load(
        session, account_id=account_id, contact_id=contact_id, products=products, as_of=as_of, priced_at=priced_at
    )
    if against := cart_rules.refusals(cart, found.buyer, found.offers):
        raise CartRefused(against, found)
    return found


def decide_vat(
    session: Session, account: Account, policy: Policy, *, tax_point: datetime, set_aside: bool
) -> vat.VatDecision:
    """The tax treatment. A number that the registry recently reported as invalid, or that is set aside, counts as not given.

    Recently: within `vat_evidence_lifetime` before the tax point, so that quote and order look back to the same instant.
    """
    sold_to = SoldTo.today(account)
    seller = policy.seller.country
    decision = sold_to.vat(seller_country=seller, at=tax_point)
    lately = tax_point - policy.vat_evidence_lifetime
    if decision.number and (set_aside or called_invalid(session, account.id, decision.number, not_before=lately)):
        return sold_to.vat(seller_country=seller, at=tax_point, with_number=False)
    return decision


def called_invalid(session: Session, account_id: UUID, number: str, *, not_before: datetime) -> bool:
    """Whether the registry's latest answer about the number since `not_before` is that it is invalid."""
    last = evidence(session, account_id, number, not_before=not_before)
    return last is not None and last.status is VatCheckStatus.INVALID


def evidence(session: Session, account_id: UUID, number: str, *, not_before: datetime) -> VatCheck | None:
    """The registry's latest answer about the number since `not_before`; an outage is no answer."""
    return _LAST_WORD.scalar(session, {"account_id": account_id, "number": number, "not_before": not_before})


# Run up to three times for every order with a number, so built once.
_LAST_WORD = Prepared[VatCheck](
    select(VatCheck)
    .where(
        VatCheck.account_id == bindparam("account_id"),
        VatCheck.number == bindparam("number"),
        VatCheck.status != VatCheckStatus.UNAVAILABLE,
        VatCheck.asked_at >= bindparam("not_before"),
    )
    .order_by(VatCheck.asked_at.desc(), VatCheck.id.desc())
    .limit(1),
    VatCheck,
)


def save_quote(
    session: Session, priced: PricedCart, *, contact_id: UUID, as_of: datetime, lifetime: timedelta, vat_set_aside: bool
) -> Quote:
    """Offer the cart at this price: binding until `as_of + lifetime`."""
    quoted = priced.quoted
    quote = Quote(
        account_id=priced.facts.account.id,
        contact_id=contact_id,
        currency=priced.facts.account.currency,
        net_minor=quoted.net_minor,
        tax_minor=quoted.tax_minor,
        total_minor=quoted.total_minor,
        balance_used_minor=quoted.balance_used_minor,
        due_minor=quoted.due_minor,
        to_balance_minor=quoted.to_balance_minor,
        digest=quoted.digest,
        needs_payment_details=quoted.needs_payment_details,
        vat_number=priced.vat.number,
        vat_set_aside=vat_set_aside,
        sold_to=priced.sold_to.as_json(),
        as_of=as_of,
        expires_at=as_of + lifetime,
        lines=[QuoteLine(**asdict(line)) for line in quoted.lines],
    )
    session.add(quote)
    session.flush()
    return quote
