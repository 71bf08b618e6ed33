"""Checks that an account's balance is the sum of its movements, and that each movement has a cause that fits it."""

import re
from itertools import groupby

from models.ledger import Cause, MovementKind, cause_of
from models.states import BACK, WAY_FORWARD, OrderStatus, Step
from tasks.ledger_check.books import Books, Movement, OrderBook
from tasks.ledger_check.differences import Check, Found, differs


def _for(*causes: str) -> re.Pattern[str]:
    return re.compile(rf"order:(?P<order>[0-9a-f-]{{36}}):({'|'.join(causes)})")


_MADE_BY = {
    MovementKind.RESERVED: _for(rf"{Cause.RESERVE}:\d+", Cause.TAKE_BACK),
    MovementKind.RELEASED: _for(rf"{Cause.RELEASE}:\d+"),
    MovementKind.CREDITED: _for(Cause.CREDIT, Cause.VAT_CREDIT, Cause.TRANSFER_CREDIT),
}
_RESERVES_LATER = WAY_FORWARD[: WAY_FORWARD.index(Step.COLLECT_PAYMENT)]


def check_balances(books: Books) -> Found:
    for currency, group in groupby(books.movements, key=lambda movement: movement.currency):
        where, total = f"account {books.account_id} {currency}", 0
        for number, movement in enumerate(group, 1):
            total += movement.amount_minor
            yield from differs(
                Check.BALANCE, where, f"the number of movement {movement.cause}", number, movement.sequence
            )
            yield from differs(
                Check.BALANCE, where, f"the balance after movement {number}", total, movement.balance_minor
            )
            yield from _check_cause(movement)
        yield from differs(Check.BALANCE, where, "a balance below zero", False, total < 0)


def _check_cause(movement: Movement) -> Found:
    where = f"movement {movement.cause or movement.id}"
    yield from differs(Check.MOVEMENT, where, "having a cause", True, bool(movement.cause))
    pattern = _MADE_BY.get(movement.kind)
    if pattern is None:
        return
    match = pattern.fullmatch(movement.cause)
    yield from differs(Check.MOVEMENT, where, f"a cause that fits {movement.kind}", True, match is not None)
    yield from differs(Check.MOVEMENT, where, "its order being the account's", True, movement.is_of_account)
    if match is not None:
        yield from differs(Check.MOVEMENT, where, "the order it names", match["order"], str(movement.order_id))


def check_order_balance(book: OrderBook) -> Found:
    """What an order reserved stays spent while the order is open and once it is completed; otherwise it is released.

    What it added to the balance is taken back if it is undone, and what it reserved is released before that.
    """
    order = book.order
    credit = (cause_of(order.id, Cause.CREDIT), cause_of(order.id, Cause.TAKE_BACK))
    reservations = (MovementKind.RESERVED, MovementKind.RELEASED)
    aside = -sum(m.amount_minor for m in book.movements if m.kind in reservations and m.cause not in credit)
    for expected in _reserved(book):
        if expected == aside:
            break
    else:
        yield from differs(Check.RESERVATION, book.where, "the balance it holds", _reserved(book)[0], aside)
    own = sum(m.amount_minor for m in book.movements if m.cause in credit)
    credited = order.to_balance_minor if book.is_active else 0
    yield from differs(Check.CREDIT, book.where, "what it added to the balance", credited, own)


def _reserved(book: OrderBook) -> tuple[int, ...]:
    """The amounts of balance that the order may hold; several if its status does not show how far it has come."""
    order = book.order
    match order.status:
        case OrderStatus.COMPLETED | OrderStatus.PAYMENT_DECLINED | OrderStatus.AWAITING_AUTHENTICATION:
            return (order.balance_used_minor,)
        case OrderStatus.OPEN | OrderStatus.NEEDS_ATTENTION if order.next_step in _RESERVES_LATER:
            return (0, order.balance_used_minor)
        case OrderStatus.OPEN | OrderStatus.NEEDS_ATTENTION if book.moved_by(Cause.TAKE_BACK):
            return (0,)  # released before that was taken
        case OrderStatus.OPEN | OrderStatus.NEEDS_ATTENTION if order.next_step in BACK and book.called_back:
            return (order.balance_used_minor, 0)
        case OrderStatus.OPEN | OrderStatus.NEEDS_ATTENTION:
            return (order.balance_used_minor,)
        case OrderStatus.AWAITING_PAYMENT_DETAILS:
            return (0, order.balance_used_minor)
        case _:
            return (0,)
