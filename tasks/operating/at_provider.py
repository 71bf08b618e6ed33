"""What the payment provider itself says about an order now, for comparison with our records."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from tasks.operating.order_story import Story
from tasks.ports import Charge, Dispute, Refund
from tasks.refunds import disputes
from tasks.wiring import payments


@dataclass(frozen=True, slots=True)
class AtProvider:
    what: str
    """charge, refund or dispute"""
    attempt: int | None
    ref: str
    status: str
    amount_minor: int
    currency: str


def look_up(story: Story) -> list[AtProvider]:
    """The order's charges, with their refunds and disputes. Call and errors as of `charges`."""
    return [found for charge in charges(story) for found in _with_what_followed(story.order.id, charge)]


def charges(story: Story, *, also_unknown: bool = False) -> list[Charge]:
    """The order's charges, as the provider has them now. Call it outside a transaction.

    also_unknown: search those that none of our attempts refers to also if each attempt has its provider id.
    Raises TemporarilyUnavailable, Misconfigured: it could not be asked.
    """
    found = {tried.ref: payments().retrieve_charge(tried.ref) for tried in story.charges if tried.ref}
    if also_unknown or len(found) < len(story.charges):
        for customer_ref in story.customers:
            listed = payments().find_charges(
                customer_ref=customer_ref, order_id=story.order.id, since=story.order.created_at
            )
            found = {charge.ref: charge for charge in listed} | found
    return sorted(found.values(), key=lambda charge: charge.attempt or 0)


def _with_what_followed(order_id: UUID, charge: Charge) -> Iterator[AtProvider]:
    yield _row("charge", charge)
    for refund in payments().find_refunds(charge_ref=charge.ref):
        yield _row("refund", refund)
    for dispute in disputes.find(order_id, charge.ref) if charge.disputed else ():
        yield _row("dispute", dispute)


def _row(what: str, found: Charge | Refund | Dispute) -> AtProvider:
    attempt = None if isinstance(found, Dispute) else found.attempt
    return AtProvider(what, attempt, found.ref, found.status.value, found.amount_minor, found.currency)
