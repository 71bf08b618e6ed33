"""Accounts that can order, many at a time, and a catalogue for them. They share one customer of the payment provider."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import insert
from sqlalchemy.orm import Session

from models.accounts import Account, AccountKind, Contact, Language, PaymentMethod, PaymentMethodStatus
from models.base import uuid7
from models.catalogue import CatalogueVersion, Price, Product, Tier
from models.orders import Quote
from models.rules.cart import Action, CartLine
from models.rules.period import Interval
from models.rules.vat import BuyerType
from tasks import placement
from tasks.ports import StoredPaymentMethod
from tasks.wiring import now, payments, policy

PRODUCT = "desk"
CART = [CartLine(Action.PURCHASE, PRODUCT, "team", 10, Interval.MONTH)]


@dataclass(frozen=True, slots=True)
class Customer:
    account_id: UUID
    contact_id: UUID
    card_id: UUID


class Customers:
    """New ones, each a German business with a billing contact and a card that works."""

    def __init__(self) -> None:
        self._ref, self._card = _known_to_the_provider()

    def add(self, session: Session, number: int) -> list[Customer]:
        made = [Customer(uuid7(), uuid7(), uuid7()) for _ in range(number)]
        if made:
            session.execute(insert(Account), [self._account(each) for each in made])
            session.execute(insert(Contact), [_contact(each) for each in made])
            session.execute(insert(PaymentMethod), [self._method(each) for each in made])
        return made

    def _account(self, customer: Customer) -> dict[str, object]:
        return {
            "id": customer.account_id,
            "name": "Ada Byron GmbH",
            "kind": AccountKind.SELF_SERVE,
            "buyer_type": BuyerType.BUSINESS,
            "country": "DE",
            "currency": "EUR",
            "language": Language.EN,
            "customer_ref": self._ref,
        }

    def _method(self, customer: Customer) -> dict[str, object]:
        card = self._card
        return {
            "id": customer.card_id,
            "account_id": customer.account_id,
            "ref": card.ref,
            "brand": card.brand,
            "last4": card.last4,
            "status": PaymentMethodStatus.USABLE,
        }


def _contact(customer: Customer) -> dict[str, object]:
    email = f"ada-{customer.contact_id.hex}@customer.example"
    return {
        "id": customer.contact_id,
        "account_id": customer.account_id,
        "name": "Ada Byron",
        "email": email,
        "is_billing_contact": True,
    }


def _known_to_the_provider() -> tuple[str, StoredPaymentMethod]:
    mark = uuid4()
    ref = payments().create_customer(account_id=mark, name="Ada", email="ada@customer.example", key=f"bench:{mark}")
    return ref, payments().attach_payment_method(customer_ref=ref, token="pm_card_visa", key=f"bench:{mark}:card")


def place(session: Session, customer: Customer, cart: Sequence[CartLine] = CART) -> UUID:
    """Quote and order, as the API does."""
    offered = quote(session, customer, cart)
    placed = placement.place(
        session,
        quote_id=offered.id,
        account_id=customer.account_id,
        idempotency_key=str(offered.id),
        api_key_id=None,
        now=now(),
    )
    return placed.order.id


def quote(session: Session, customer: Customer, cart: Sequence[CartLine] = CART) -> Quote:
    account, contact = customer.account_id, customer.contact_id
    return placement.quote(session, account_id=account, contact_id=contact, cart=cart, now=now(), policy=policy())


def add_catalogue(session: Session) -> None:
    """One product in three tiers."""
    version = CatalogueVersion(effective_from=datetime(2020, 1, 1, tzinfo=UTC), checksum="bench")
    session.add_all([version, Product(code=PRODUCT, name="Desk", trial_days=14)])
    session.flush()
    for rank, (tier, unit_minor) in enumerate((("basic", 5_00), ("team", 10_00), ("business", 20_00))):
        session.add(Tier(product_code=PRODUCT, code=tier, name=tier.capitalize(), rank=rank))
        session.flush()
        for interval, periods in ((Interval.MONTH, 1), (Interval.YEAR, 10)):
            price = {"interval": interval, "currency": "EUR", "unit_minor": unit_minor * periods}
            session.add(Price(version_id=version.id, product_code=PRODUCT, tier_code=tier, **price))
