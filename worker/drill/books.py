"""Stripe's own books, by order: what the stand-in says that it took and gave back."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Books:
    """Stripe's, by order."""

    paid: Mapping[UUID, list[Json]]
    refunded: Mapping[str, list[Json]]
    """by charge"""
    pending: Mapping[UUID, list[Json]]
    """payment intents that may yet take money"""
    strange: list[str]

    @classmethod
    def read(cls, books: Mapping[str, list[dict[str, Any]]]) -> "Books":
        paid: dict[UUID, list[Json]] = defaultdict(list)
        refunded: dict[str, list[Json]] = defaultdict(list)
        pending: dict[UUID, list[Json]] = defaultdict(list)
        strange = []
        for charge in books["charges"]:
            if charge["paid"]:
                if (order_id := _order_of(charge)) is None:
                    strange.append(f"charge {charge['id']} of {charge['amount']} belongs to no order")
                else:
                    paid[order_id].append(charge)
        for refund in books["refunds"]:
            if refund["status"] in ("succeeded", "pending"):
                refunded[refund["charge"]].append(refund)
        for intent in books["payment_intents"]:
            if intent["status"] in ("requires_action", "processing") and (order_id := _order_of(intent)):
                pending[order_id].append(intent)
        return cls(paid, refunded, pending, strange)


def _order_of(thing: Json) -> UUID | None:
    try:
        return UUID(thing["metadata"]["order_id"])
    except (KeyError, ValueError):
        return None
