"""Our orders against others' books: every charge at the payment provider belongs to one order, every email arrived once."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import httpx

from api_stub.demo.upstream import Json
from models.states import LetterKind
from tasks.letters.compose import message_id
from worker.adapters.stripe_amounts import from_stripe


@dataclass(frozen=True, slots=True)
class Reconciliation:
    charges: int
    refunds: int
    orders: int
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Post:
    sent: int
    arrived: int
    differences: tuple[str, ...]


def compare_charges(orders: Sequence[Json], stripe: str) -> Reconciliation:
    """Compare all orders there are with all the stand-in has."""
    books: Json = httpx.get(f"{stripe}/_control/books", timeout=30, trust_env=False).raise_for_status().json()
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


def compare_letters(orders: Sequence[Json], mailbox: str, domain: str) -> Post:
    """Compare the letters that the orders' timelines tell of with those in the mailbox, by Message-ID."""
    listed: Json = (
        httpx.get(f"{mailbox}/api/v1/messages", params={"limit": 10_000}, timeout=30, trust_env=False)
        .raise_for_status()
        .json()
    )
    arrived = Counter(f"<{message['MessageID'].strip('<>')}>" for message in listed["messages"])
    sent = [
        (order["number"], kind, message_id(UUID(order["id"]), LetterKind(kind), domain))
        for order in orders
        for kind in (event["facts"]["kind"] for event in order["timeline"] if event["kind"] == "letter.sent")
    ]
    wrong = [
        f"order {number}: its {kind} arrived {arrived[mail_id]} times"
        for number, kind, mail_id in sent
        if arrived[mail_id] != 1
    ]
    strange = arrived.keys() - {mail_id for _, _, mail_id in sent}
    wrong += [f"an email arrived that no order tells of: {mail_id}" for mail_id in sorted(strange)]
    return Post(len(sent), sum(arrived.values()), tuple(wrong))
