"""The kinds of orders that a drill places, and which of a step's places each passes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from models.accounts import AccountKind, Language
from models.rules.cart import Action, CartLine
from models.rules.period import Interval
from models.rules.vat import BuyerType
from models.states import BACK, FORWARD, OrderStatus, Step
from worker.loading.accounts_file import SubscriptionListed

VISA, DECLINES, ASKS = "pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"


class Doing(StrEnum):
    """What the customer does while the order is on its way."""

    NOTHING = "nothing"
    CANCEL_WHILE_CHARGED = "cancel while charged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    name: str
    cart: tuple[CartLine, ...]
    account: Mapping[str, Any]
    """its columns, where they differ from those of a German business"""
    card: str | None = VISA
    balance_minor: int = 0
    has: tuple[CartLine, ...] = ()
    """bought ten days before"""
    doing: Doing = Doing.NOTHING
    ends_as: OrderStatus = OrderStatus.COMPLETED
    charges: bool = True
    prompts: bool = True

    def passes(self, step: Step, point: str) -> bool:
        """Whether such an order comes by this place."""
        if self.doing is Doing.CANCEL_WHILE_CHARGED:
            return step in BACK
        if step in BACK:
            return False
        if step is Step.COLLECT_PAYMENT and point in ("calling", "called"):
            return self.charges
        return self.prompts or (step, point) != (Step.PROMPT_SEAT_ASSIGNMENT, "calling")

    @property
    def columns(self) -> dict[str, Any]:
        usual: dict[str, Any] = {
            "country": "DE",
            "currency": "EUR",
            "kind": AccountKind.SELF_SERVE,
            "buyer_type": BuyerType.BUSINESS,
            "language": Language.EN,
            "timezone": "UTC",
            "postcode": None,
            "address": "Drill Street 1",
            "vat_number": None,
        }
        return usual | dict(self.account)

    @property
    def subscriptions(self) -> tuple[SubscriptionListed, ...]:
        return tuple(SubscriptionListed(0, line, timedelta(days=10)) for line in self.has)


def purchase(product: str = "board", seats: int = 5) -> CartLine:
    return CartLine(Action.PURCHASE, product, "team", seats, Interval.MONTH)


def _change(**to: Any) -> CartLine:
    return CartLine(Action.CHANGE, "board", **{"tier": None, "seats": None, "interval": None, **to})


_BOARD = purchase(seats=10)
_TRIAL = CartLine(Action.TRIAL, "docs", "team", 3, None)
_FRENCH = {"country": "FR", "vat_number": "FR40303265045", "language": Language.FR}

KINDS = (
    Kind(name="purchase", cart=(purchase(),), account={}),
    Kind(
        name="change up", cart=(_change(seats=14, tier="business"),), has=(_BOARD,), account={"language": Language.DE}
    ),
    Kind(name="change down", cart=(_change(seats=4),), has=(_BOARD,), charges=False, prompts=False, account={}),
    Kind(name="trial", cart=(_TRIAL,), card=None, charges=False, account={"language": Language.ES}),
    Kind(
        name="mixed cart",
        cart=(purchase("desk"), _TRIAL, _change(seats=12, interval=Interval.YEAR)),
        has=(_BOARD,),
        account={"language": Language.IT},
    ),
    Kind(name="balance", cart=(purchase(seats=8),), balance_minor=30_00, account={}),
    Kind(
        name="invoice",
        cart=(purchase("desk", seats=3),),
        card=None,
        charges=False,
        account={"country": "NL", "vat_number": "NL004495445B01"},
    ),
    Kind(name="reverse charge", cart=(purchase(seats=6),), account=_FRENCH),
    Kind(name="3-D Secure", cart=(purchase(seats=7),), card=ASKS, account={"country": "ES"}),
    Kind(name="card declined", cart=(purchase(seats=2),), card=DECLINES, account={"currency": "USD", "country": "US"}),
    Kind(
        name="way back",
        cart=(purchase("desk"),),
        doing=Doing.CANCEL_WHILE_CHARGED,
        ends_as=OrderStatus.REFUNDED,
        account={"currency": "JPY", "country": "JP"},
    ),
)
CALLS_OUTSIDE = frozenset(
    {
        Step.COLLECT_PAYMENT,
        Step.SEND_CONFIRMATION_EMAIL,
        Step.PROMPT_SEAT_ASSIGNMENT,
        Step.REFUND_PAYMENT,
        Step.SEND_REFUND_NOTICE,
    }
)
POINTS = ("delivered", "claimed", "calling", "called", "recorded")


def points_of(step: Step) -> tuple[str, ...]:
    return tuple(point for point in POINTS if point != "calling" or step in CALLS_OUTSIDE)


STEPS = FORWARD + BACK
