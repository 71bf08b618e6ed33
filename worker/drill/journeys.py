"""What a storm's customers buy, one order after the other, each changing what the one before left."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from models.accounts import Language
from models.rules.cart import Action, CartLine
from models.rules.period import Interval
from worker.drill.kinds import ASKS, DECLINES, Doing, Kind, purchase


@dataclass(frozen=True, slots=True)
class Journey:
    who: Kind
    carts: tuple[tuple[CartLine, ...], ...]
    doing: tuple[Doing, ...] = ()
    """during each order; nothing unless said"""

    def during(self, number: int) -> Doing:
        return self.doing[number] if number < len(self.doing) else Doing.NOTHING


def _try(product: str, seats: int) -> CartLine:
    return CartLine(Action.TRIAL, product, "team", seats, None)


def _change(product: str, *, tier: str | None = None, seats: int | None = None, to: Interval | None = None) -> CartLine:
    return CartLine(Action.CHANGE, product, tier, seats, to)


def _who(name: str, **columns: object) -> Kind:
    return Kind(name=name, cart=(), account=columns)


JOURNEYS = (
    Journey(
        _who("grows"),
        (
            (purchase("board", 5),),
            (_change("board", seats=12),),
            (_change("board", tier="business", to=Interval.YEAR),),
        ),
    ),
    Journey(
        _who("shrinks, then spends the balance", language=Language.DE),
        ((purchase("board", 20),), (_change("board", seats=5),), (purchase("docs", 9),)),
    ),
    Journey(
        Kind(name="tries first", cart=(), account={"language": Language.ES, "country": "ES"}),
        ((_try("docs", 3),), (_try("board", 4), purchase("desk", 2)), (purchase("docs", 4),)),
    ),
    Journey(
        Kind(name="invoiced", cart=(), card=None, account={"country": "NL", "vat_number": "NL004495445B01"}),
        ((purchase("desk", 3),), (_change("desk", seats=6),), (purchase("board", 1), _try("docs", 2))),
    ),
    Journey(
        _who("reverse charge", country="FR", vat_number="FR40303265045", language=Language.FR),
        (
            (purchase("board", 6),),
            (_change("board", to=Interval.YEAR),),
            (purchase("docs", 3), _change("board", seats=8)),
        ),
    ),
    Journey(
        Kind(name="3-D Secure", cart=(), card=ASKS, account={"country": "IT", "language": Language.IT}),
        ((purchase("board", 7),), (_change("board", seats=9),), (purchase("desk", 1),)),
    ),
    Journey(
        Kind(name="card declined", cart=(), card=DECLINES, account={"currency": "USD", "country": "US"}),
        ((purchase("docs", 2),), (_change("docs", seats=5),), (purchase("board", 2),)),
    ),
    Journey(
        Kind(name="changes its mind", cart=(), account={"currency": "JPY", "country": "JP"}),
        ((purchase("desk", 2),), (purchase("board", 3),), (purchase("docs", 3),)),
        (Doing.CANCEL_WHILE_CHARGED, Doing.NOTHING, Doing.CANCEL_WHILE_CHARGED),
    ),
    Journey(
        Kind(name="has balance", cart=(), balance_minor=60_00, account={}),
        ((purchase("board", 3),), (purchase("docs", 10), _change("board", seats=5)), (_change("docs", seats=4),)),
    ),
)


def for_orders(orders: int) -> Sequence[Journey]:
    """Journeys of about so many orders, every kind in turn."""
    longest = max(len(journey.carts) for journey in JOURNEYS)
    return list(islice(cycle(JOURNEYS), -(-orders // longest)))
