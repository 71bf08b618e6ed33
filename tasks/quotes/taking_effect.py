"""The instant from which a cart is priced: now, but not before what it changes began, which a host whose clock is ahead may have begun later than now."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from models.rules.cart import CartLine
from tasks.errors import TemporarilyUnavailable
from tasks.quotes import quoting
from tasks.quotes.quoting import PricedCart, PricingTerms

log = structlog.get_logger(__name__)

CLOCKS_DIFFER = timedelta(seconds=2)
"""by how much the clocks of hosts may differ"""


def price(
    session: Session, *, account_id: UUID, contact_id: UUID | None, cart: Sequence[CartLine], terms: PricingTerms
) -> tuple[PricedCart, PricingTerms]:
    """Price `cart` for a quote; returns the terms, too, whose `as_of` may be later by up to `CLOCKS_DIFFER`.

    Raises CartRefused, UnknownAccount; TemporarilyUnavailable if what the cart changes began later than that.
    """
    priced = partial(quoting.price, session, account_id=account_id, contact_id=contact_id, cart=cart)
    found = quoting.check(
        session, account_id=account_id, contact_id=contact_id, cart=cart, as_of=terms.as_of, priced_at=terms.priced_at
    )
    began = max((running.period.start for running in found.running.values()), default=terms.as_of)
    if began <= terms.as_of:
        return priced(terms=terms, known=found), terms
    if began - terms.as_of > CLOCKS_DIFFER:
        why = f"a period begins at {began.isoformat()}, in the future: the clock of an API was ahead, or ours is behind"
        log.error("no quote of what begins in the future", account_id=str(account_id), error=why)
        raise TemporarilyUnavailable(why, retry_after=(began - terms.as_of).total_seconds())
    terms = replace(terms, as_of=began)
    return priced(terms=terms), terms
