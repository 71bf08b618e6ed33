"""The sample orders as a readable file: what is ordered, what happens around it, what must come of it. See api_stub/sample/orders.yaml."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import Node

from models.rules.cart import MAX_SEATS, Action
from models.rules.period import Interval
from models.states import LetterKind, OrderStatus, PaymentKind
from worker.loading import readable_file
from worker.loading.readable_file import FileRefused, Place
from worker.loading.readable_values import code, currency, flag, member, text, whole


class Event(StrEnum):
    """What happens around an order: to the world before and between, by the customer afterwards."""

    ASSIGN = "assign"
    VIES_DOWN = "vies_down"
    RAISE_PRICE = "raise_price"
    PAY_WITH = "pay_with"
    AUTHENTICATE = "authenticate"
    CONFIRM = "confirm"
    CANCEL = "cancel"


WAITS_FOR = {
    Event.PAY_WITH: (OrderStatus.PAYMENT_DECLINED, OrderStatus.AWAITING_PAYMENT_DETAILS),
    Event.AUTHENTICATE: (OrderStatus.AWAITING_AUTHENTICATION,),
    Event.CONFIRM: (OrderStatus.AWAITING_CONFIRMATION,),
    Event.CANCEL: (
        OrderStatus.PAYMENT_DECLINED,
        OrderStatus.AWAITING_PAYMENT_DETAILS,
        OrderStatus.AWAITING_CONFIRMATION,
    ),
}
"""Where an order must stand for the customer to do this."""


@dataclass(frozen=True, slots=True)
class Happening:
    event: Event
    with_: Any
    """what it needs: a card's token, a country, a mapping"""


@dataclass(frozen=True, slots=True)
class Expected:
    refused: str | None
    says: tuple[str, ...]
    through: tuple[OrderStatus, ...]
    status: OrderStatus | None
    reason: str | None
    payment: PaymentKind | None
    charged: str | None
    """in major units, as is `tax`; None where it depends on the second"""
    tax: str | None
    provisional: bool
    letters: tuple[LetterKind, ...]


@dataclass(frozen=True, slots=True)
class SampleOrder:
    name: str
    account: str
    contact: str | None
    before: tuple[Happening, ...]
    cart: tuple[Mapping[str, Any], ...]
    between: tuple[Happening, ...]
    quoted: timedelta
    """how long ago the quote was asked for"""
    twice: bool
    then: tuple[Happening, ...]
    expected: Expected


def read(file: Path) -> tuple[SampleOrder, ...]:
    """Raises FileRefused with every problem and its line."""
    document = readable_file.read(file)
    fields = document.fields(required=["orders"])
    orders = [order for item in fields["orders"].items() if (order := _order(item))] if "orders" in fields else []
    names = [order.name for order in orders]
    for name in sorted({name for name in names if names.count(name) > 1}):
        document.wrong(f"two orders are called {name!r}")
    if document.problems:
        raise FileRefused(file, document.problems)
    return tuple(orders)


def _order(place: Place) -> SampleOrder | None:
    given = place.fields(
        required=["name", "account", "cart", "expect"],
        optional=["contact", "before", "between", "quoted", "submit", "then"],
    )
    name, account = given.value("name", text), given.value("account", code)
    around = {
        part: tuple(each for item in given[part].items() if (each := _happening(item))) if part in given else ()
        for part in ("before", "between", "then")
    }
    cart = tuple(line for item in given["cart"].items() if (line := _line(item))) if "cart" in given else ()
    expected = _expected(given["expect"]) if "expect" in given else None
    quoted = given.value("quoted", _age) or timedelta()
    twice = given.value("submit", text) == "twice"
    if name is None or account is None or expected is None:
        return None
    return SampleOrder(
        name=name,
        account=account,
        contact=given.value("contact", text),
        cart=cart,
        quoted=quoted,
        twice=twice,
        expected=expected,
        **around,
    )


def _line(place: Place) -> dict[str, Any]:
    given = place.fields(required=["action", "product"], optional=["tier", "seats", "interval"])
    line = {
        "action": given.value("action", member, Action),
        "product": given.value("product", code),
        "tier": given.value("tier", code),
        "seats": given.value("seats", whole, least=0, most=MAX_SEATS),
        "interval": given.value("interval", member, Interval),
    }
    return {name: value for name, value in line.items() if value is not None}


def _happening(place: Place) -> Happening | None:
    """`- confirm`, `- pay_with: pm_card_visa`, or `- assign: {product: ..., users: [...]}`."""
    if not isinstance(place.node.value, list):
        event = place.read(member, Event)
        return Happening(event, None) if event else None
    entries = place.entries()
    if len(entries) != 1:
        place.wrong(f"must be one of {', '.join(Event)}, with what it needs")
        return None
    name, entry = next(iter(entries.items()))
    if name not in list(Event):
        entry.wrong(f"unknown event; known are {', '.join(Event)}")
        return None
    return Happening(Event(name), _NEEDS[Event(name)](entry))


def _assignment(place: Place) -> dict[str, Any]:
    given = place.fields(required=["product", "users"])
    users = [item.read(text) for item in given["users"].items()] if "users" in given else []
    return {"product": given.value("product", code), "users": users}


def _raise(place: Place) -> dict[str, Any]:
    given = place.fields(required=["product", "tier", "interval", "currency", "to"])
    path = {name: given.value(name, code) for name in ("product", "tier", "interval")}
    return path | {"currency": given.value("currency", currency), "to": given.value("to", text)}


def _nothing(place: Place) -> None:
    place.wrong("takes no value")


_NEEDS: dict[Event, Callable[[Place], Any]] = {
    Event.ASSIGN: _assignment,
    Event.RAISE_PRICE: _raise,
    Event.VIES_DOWN: lambda place: place.read(text),
    Event.PAY_WITH: lambda place: place.read(text),
    Event.AUTHENTICATE: lambda place: place.read(_outcome),
    Event.CONFIRM: _nothing,
    Event.CANCEL: _nothing,
}


def _expected(place: Place) -> Expected:
    given = place.fields(
        optional=[
            "refused",
            "says",
            "through",
            "status",
            "reason",
            "payment",
            "charged",
            "tax",
            "provisional",
            "letters",
        ]
    )
    if ("refused" in given) == ("status" in given):
        place.wrong("must say either how it is refused, or in what status it ends")

    def listed(name: str) -> list[Place]:
        return given[name].items() if name in given else []

    return Expected(
        refused=given.value("refused", code),
        says=tuple(said for item in listed("says") if (said := item.read(text))),
        through=tuple(status for item in listed("through") if (status := item.read(member, OrderStatus))),
        status=given.value("status", member, OrderStatus),
        reason=given.value("reason", code),
        payment=given.value("payment", member, PaymentKind),
        charged=given.value("charged", text),
        tax=given.value("tax", text),
        provisional=bool(given.value("provisional", flag)),
        letters=tuple(kind for item in listed("letters") if (kind := item.read(member, LetterKind))),
    )


def _age(node: Node) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]?) hours? ago", text(node))
    if found is None:
        raise ValueError(f"must be like '2 hours ago', is {text(node)!r}")
    return timedelta(hours=int(found[1]))


def _outcome(node: Node) -> str:
    if text(node) not in ("succeed", "fail"):
        raise ValueError("must be succeed or fail")
    return text(node)


def with_price(catalogue: Path, *, product: str, tier: str, interval: str, currency: str, to: str) -> str:
    """The catalogue file's text with one price changed, in effect from when it is loaded."""
    said = yaml.safe_load(catalogue.read_text(encoding="utf-8"))
    said.pop("effective_from", None)
    said["products"][product]["tiers"][tier]["prices"][interval][currency] = to
    return str(yaml.safe_dump(said, allow_unicode=True, sort_keys=False))
