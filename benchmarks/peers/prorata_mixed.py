"""Orders of all kinds: of ten, five purchases, two trials, two changes of seats, one with a card that is declined."""

from itertools import cycle
from uuid import UUID

import psycopg
from sqlalchemy import update
from sqlalchemy.orm import Session

from benchmarks.customers import CART, PRODUCT, Customer, place
from benchmarks.peers.prorata import ProrataLoad
from benchmarks.under_way import UnderWay
from models.accounts import PaymentMethod
from models.rules.cart import Action, CartLine
from models.rules.period import Interval
from models.states import OrderStatus
from tasks.upstream import payment_details
from tasks.wiring import begin

TRIAL = [CartLine(Action.TRIAL, PRODUCT, "team", 5)]
MORE_SEATS = [CartLine(Action.CHANGE, PRODUCT, "business", 12, Interval.MONTH)]
KINDS = ("purchase", "trial", "purchase", "change", "purchase", "declined", "purchase", "trial", "purchase", "change")


class MixedLoad(ProrataLoad):
    """A change is ordered by whoever has bought before; the first round therefore only buys."""

    def __init__(self) -> None:
        super().__init__()
        self._declined = self._refused_card()
        self._bought: list[Customer] = []

    def _look_after(self, watching: psycopg.Connection) -> UnderWay:
        """Done in whatever status an order comes to rest; the scenario counts them."""
        return UnderWay(watching, ends=list(OrderStatus))

    def prepare(self, orders: int) -> None:
        session = self._waiting.enter_context(begin())
        enough = len(self._bought) > orders * KINDS.count("change") / len(KINDS)
        kinds = cycle(KINDS if enough else ("purchase", "trial", "purchase"))
        placed, bought = [], []
        for customer, kind in zip(self._customers.add(session, orders), kinds, strict=False):
            if kind == "change":
                customer = self._bought.pop()
            placed.append(self._place(session, customer, kind))
            if kind == "purchase":
                bought.append(customer)
        self._bought += bought
        self._placed(session, placed)

    def _place(self, session: Session, customer: Customer, kind: str) -> UUID:
        if kind == "declined":
            method = update(PaymentMethod).where(PaymentMethod.account_id == customer.account_id)
            session.execute(method.values(ref=self._declined))
        return place(session, customer, {"trial": TRIAL, "change": MORE_SEATS}.get(kind, CART))

    def _refused_card(self) -> str:
        """Attaches well, and is declined when charged."""
        with begin() as session:
            (customer,) = self._customers.add(session, 1)
        return payment_details.attach(customer.account_id, "pm_card_chargeCustomerFail").ref
