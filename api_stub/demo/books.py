"""Our orders against the payment provider's own books: every charge belongs to one order, and the amounts agree."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import httpx

from api_stub.demo.upstream import Json, Upstream
from worker.adapters.stripe_amounts import from_stripe


@dataclass(frozen=True, slots=True)
class Reconciliation:
    charges: int
    refunds: int
    orders: int
    differences: tuple[str, ...]


def reconcile(upstream: Upstream, stripe: str) -> Reconciliation:
    """Compare all orders that the key can see with all the stand-in has."""
    books: Json = httpx.get(f"{stripe}/_control/books", timeout=30, trust_env=False).raise_for_status().json()
    orders = [upstream.order(order["id"]) for order in upstream.orders()]
    taken = [intent for intent in books["payment_intents"] if intent["status"] == "succeeded"]
    returned = [refund for refund in books["refunds"] if refund["status"] == "succeeded"]
    differences = [
        *_compare("charged", orders, taken, "amount_received"),
        *_compare("refunded", orders, returned, "amount"),
    ]
    return Reconciliation(len(taken), len(returned), len(orders), tuple(differences))


def _compare(what: str, orders: Sequence[Json], booked: Sequence[Json], amount: str) -> Iterator[str]:
    by_order: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for entry in booked:
        currency = str(entry["currency"]).upper()
        by_order[entry["metadata"].get("order_id", "")].append((from_stripe(entry[amount], currency), currency))
    for order in orders:
        ours = order["payment"][what]
        theirs = by_order.pop(order["id"], [])
        expected = [(ours["minor"], ours["currency"])] if ours["minor"] else []
        if theirs != expected:
            yield f"order {order['number']}: {what} {ours['text']}, and Stripe's books say {theirs or 'nothing'}"
    for order_id, theirs in by_order.items():
        yield f"Stripe's books have {what} {theirs} for {order_id or 'no order'}, which is none of ours"
