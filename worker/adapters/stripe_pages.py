"""What Stripe charged and refunded in a period, and what was disputed, newest first, page by page: each page is a call of its own, with its own retries."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from math import ceil
from typing import Any, TypeVar

import stripe

from worker.adapters.stripe_calls import Calls
from worker.adapters.stripe_errors import unexpected

Listed = TypeVar("Listed", stripe.PaymentIntent, stripe.Refund, stripe.Dispute)

PAGE = 100


def made(
    listing: Callable[[Any], stripe.ListObject[Listed]],
    calls: Calls,
    since: datetime,
    until: datetime,
    *,
    expand: Sequence[str] = (),
) -> Iterator[Listed]:
    """listing: the SDK's method, such as `client.v1.refunds.list`; all take the same parameters. expand: what is to come itself, not only its id."""
    asked: dict[str, Any] = {"created": {"gte": _seconds(since), "lt": _seconds(until)}, "limit": PAGE}
    if expand:
        asked["expand"] = list(expand)

    def page(after: str | None) -> tuple[Sequence[Listed], str | None]:
        """A page, and the id after which the next begins."""
        found = listing(asked if after is None else {**asked, "starting_after": after})
        return found.data, found.data[-1].id if found.has_more and found.data else None

    after: str | None = None
    while True:
        listed, after = calls.ask(partial(page, after), refused=unexpected)
        yield from listed
        if after is None:
            return


def _seconds(at: datetime) -> int:
    """As Stripe counts: whole ones since 1970."""
    return ceil(at.timestamp())
