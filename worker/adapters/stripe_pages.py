"""What Stripe charged and refunded in a period, newest first, page by page: each page is a call of its own, with its own retries."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from math import ceil
from typing import TypeVar

import stripe
from stripe.params import PaymentIntentListParams, RefundListParams

from worker.adapters.stripe_calls import Calls
from worker.adapters.stripe_errors import unexpected

Listed = TypeVar("Listed", stripe.PaymentIntent, stripe.Refund)

PAGE = 100


def intents(
    client: stripe.StripeClient, calls: Calls, since: datetime, until: datetime
) -> Iterator[stripe.PaymentIntent]:
    def page(after: str | None) -> stripe.ListObject[stripe.PaymentIntent]:
        asked: PaymentIntentListParams = {"created": {"gte": _seconds(since), "lt": _seconds(until)}, "limit": PAGE}
        if after is not None:
            asked["starting_after"] = after
        return client.v1.payment_intents.list(asked)

    return _all(page, calls)


def refunds(client: stripe.StripeClient, calls: Calls, since: datetime, until: datetime) -> Iterator[stripe.Refund]:
    def page(after: str | None) -> stripe.ListObject[stripe.Refund]:
        asked: RefundListParams = {"created": {"gte": _seconds(since), "lt": _seconds(until)}, "limit": PAGE}
        if after is not None:
            asked["starting_after"] = after
        return client.v1.refunds.list(asked)

    return _all(page, calls)


def _all(page: Callable[[str | None], stripe.ListObject[Listed]], calls: Calls) -> Iterator[Listed]:
    after: str | None = None
    while True:
        found = calls.ask(partial(page, after), refused=unexpected)
        yield from found.data
        if not found.has_more or not found.data:
            return
        after = found.data[-1].id


def _seconds(at: datetime) -> int:
    """As Stripe counts: whole ones since 1970."""
    return ceil(at.timestamp())
