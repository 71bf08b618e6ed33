"""What Stripe charged and refunded in a period, and what was disputed, newest first, page by page: each page is a call of its own, with its own retries."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from math import ceil
from typing import TypeVar

import stripe
from stripe.params import DisputeListParams, PaymentIntentListParams, RefundListParams

from worker.adapters.stripe_calls import Calls
from worker.adapters.stripe_errors import unexpected

Listed = TypeVar("Listed", stripe.PaymentIntent, stripe.Refund, stripe.Dispute)

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


def disputes(client: stripe.StripeClient, calls: Calls, since: datetime, until: datetime) -> Iterator[stripe.Dispute]:
    def page(after: str | None) -> stripe.ListObject[stripe.Dispute]:
        asked: DisputeListParams = {"created": {"gte": _seconds(since), "lt": _seconds(until)}, "limit": PAGE}
        if after is not None:
            asked["starting_after"] = after
        return client.v1.disputes.list(asked)

    return _all(page, calls)


def _all(page: Callable[[str | None], stripe.ListObject[Listed]], calls: Calls) -> Iterator[Listed]:
    after: str | None = None
    while True:
        listed, after = calls.ask(partial(_read, page, after), refused=unexpected)
        yield from listed
        if after is None:
            return


def _read(
    page: Callable[[str | None], stripe.ListObject[Listed]], after: str | None
) -> tuple[Sequence[Listed], str | None]:
    """A page, and the id after which the next begins."""
    found = page(after)
    return found.data, found.data[-1].id if found.has_more and found.data else None


def _seconds(at: datetime) -> int:
    """As Stripe counts: whole ones since 1970."""
    return ceil(at.timestamp())
