"""The whole world of an order, for tests of steps: real PostgreSQL, the Stripe and VIES stand-ins over HTTP, mail over SMTP.

Only the clock is ours, so that a test can say what day it is. Steps are called as functions, one after the other, the way the
chain would; tests/e2e runs the same on Celery workers.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import stripe
from sqlalchemy import case, create_engine, func, select, text, update
from sqlalchemy.orm import Session, selectinload

from models import attention, ledger
from models.accounts import Account, AccountKind, Contact, Language
from models.catalogue import CatalogueVersion, Price
from models.messages import OutboxMessage, SentLetter, WebhookReceived
from models.orders import Order, OrderEvent, Quote
from models.payments import ChargeAttempt, RefundAttempt
from models.rules.cart import Action, CartLine
from models.rules.period import Interval
from models.rules.refusals import Refusal
from models.states import FORWARD, OrderStatus, Step
from models.subscriptions import SeatAssignment, Subscription
from models.support_cases import SupportCase
from tasks import pipeline, placement, wiring
from tasks.charges import webhooks
from tasks.policy import Seller
from tasks.quotes.quoting import CartRefused
from tasks.upstream import payment_details
from tests.support.mailbox import Mailbox
from tests.support.stripe_stand_in import WEBHOOK_SECRET, StripeStandIn
from tests.support.vies_stand_in import ViesStandIn
from worker.database import Transactions, set_up_sessions

TODAY = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
SELLER = Seller(
    name="Prorata GmbH",
    country="DE",
    address="Musterstraße 1, 10115 Berlin",
    vat_number="DE136695976",
    support_email="support@prorata.example",
    public_url="https://billing.prorata.example",
    corporate_portal_url="https://corporate.prorata.example/billing",
    mail_domain="prorata.example",
)


LONG_AGO = timedelta(minutes=1)
"""longer than an event about an unknown charge has to wait"""


@dataclass
class Customer:
    """An account with one billing contact."""

    account_id: UUID
    contact_id: UUID
    email: str


@dataclass
class World:
    transactions: Transactions
    stripe: StripeStandIn
    vies: ViesStandIn
    mailbox: Mailbox
    wiring: wiring.Wiring
    time: datetime = TODAY
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 1000)))

    def begin(self) -> AbstractContextManager[Session]:
        return self.transactions()

    @contextmanager
    def impatient(self, *, behind_a_lock: float = 0.1) -> Iterator[None]:
        """Steps in the block wait only so many seconds for a lock; this world's own `begin` waits for ever."""
        engine = create_engine(self.transactions.engine.url)
        set_up_sessions(engine, behind_a_lock=behind_a_lock)
        wiring.plug_in(replace(self.wiring, begin=Transactions(engine)))
        try:
            yield
        finally:
            wiring.plug_in(self.wiring)
            engine.dispose()

    def be_patient(self) -> None:
        """For the rest of the test ask the payment provider again for as long as it takes: usually that ends soon, for tests in which it is away."""
        self.wiring = replace(self.wiring, payments=self.stripe.payments(patience=60, read_timeout=60))
        wiring.plug_in(self.wiring)

    def policy(self, **choices: Any) -> None:
        """Change the merchant's choices for the rest of the test."""
        self.wiring = replace(self.wiring, policy=replace(self.wiring.policy, **choices))
        wiring.plug_in(self.wiring)

    def pass_time(self, **by: float) -> None:
        self.time += timedelta(**by)

    def customer(self, *, card: str | None = "pm_card_visa", **account: Any) -> Customer:
        """A German business paying by a card that works, unless told otherwise."""
        number = next(self.numbers)
        email = f"ada{number}-{uuid4().hex[:16]}@customer.example"  # their mailbox outlives the test
        values = {"name": f"Customer {number}", "country": "DE", "currency": "EUR", "timezone": "UTC", **account}
        with self.begin() as session:
            row = Account(**{"kind": AccountKind.SELF_SERVE, "language": Language.EN, **values})
            session.add(row)
            session.flush()
            contact = Contact(account_id=row.id, name="Ada Byron", email=email, is_billing_contact=True)
            session.add(contact)
        made = Customer(row.id, contact.id, email)
        if card is not None:
            self.give_card(made, card)
        return made

    def give_card(self, customer: Customer, token: str = "pm_card_visa") -> None:
        payment_details.attach(customer.account_id, token)

    def change_account(self, customer: Customer, **values: Any) -> None:
        with self.begin() as session:
            account = session.get_one(Account, customer.account_id)
            for name, value in values.items():
                setattr(account, name, value)

    def grant(self, customer: Customer, minor: int) -> None:
        """Put balance on the account."""
        with self.begin() as session:
            currency = session.get_one(Account, customer.account_id).currency
            ledger.post(
                session,
                account_id=customer.account_id,
                currency=currency,
                kind=ledger.MovementKind.GRANTED,
                amount_minor=minor,
                cause=f"grant:{uuid4()}",
                step="test",
            )

    def balance(self, customer: Customer) -> int:
        with self.begin() as session:
            currency = session.get_one(Account, customer.account_id).currency
            return ledger.balance(session, customer.account_id, currency)

    def assign(self, customer: Customer, product: str, *users: str) -> None:
        subscription = self.subscription(customer, product)
        with self.begin() as session:
            for minute, user in enumerate(users):
                at = self.time + timedelta(minutes=minute)
                session.add(SeatAssignment(subscription_id=subscription.id, user_email=user, assigned_at=at))

    def quote(self, customer: Customer, *cart: CartLine, contact_id: UUID | None = None) -> Quote:
        with self.begin() as session:
            try:
                made = placement.quote(
                    session,
                    account_id=customer.account_id,
                    contact_id=contact_id or customer.contact_id,
                    cart=cart,
                    now=self.time,
                    policy=self.wiring.policy,
                )
            except Exception as error:  # noqa: BLE001 - what was written beside a refusal stays, as at the API
                refused = error
            else:
                return made
        raise refused

    def place(self, customer: Customer, *cart: CartLine) -> UUID:
        return self.place_quote(customer, self.quote(customer, *cart).id)

    def place_quote(self, customer: Customer, quote_id: UUID, *, key: str | None = None) -> UUID:
        with self.begin() as session:
            placed = placement.place(
                session,
                quote_id=quote_id,
                account_id=customer.account_id,
                idempotency_key=key or str(uuid4()),
                api_key_id=None,
                now=self.time,
            )
            return placed.order.id

    def placed_now(self, order_id: UUID) -> None:
        """Set its placement to this world's time; the database used its own clock."""
        with self.begin() as session:
            session.execute(update(Order).where(Order.id == order_id).values(created_at=self.time))

    def buy(self, customer: Customer, *cart: CartLine) -> Order:
        """Quote, place and carry through all steps."""
        return self.run(self.place(customer, *cart))

    def run(self, order_id: UUID, *, until: Step | None = None) -> Order:
        """Step after step until the order is no longer open, makes no progress, or stands before `until`."""
        before = None
        while (now := self._standing(order_id)) != before and now[0] is OrderStatus.OPEN and now[1] is not until:
            self.deliver(order_id, now[1] or FORWARD[0])
            before = now
        return self.order(order_id)

    def _standing(self, order_id: UUID) -> tuple[OrderStatus, Step | None]:
        with self.begin() as session:
            status, next_step = session.execute(select(Order.status, Order.next_step).where(Order.id == order_id)).one()
        return status, next_step

    def deliver(self, order_id: UUID, step: Step) -> str:
        """One delivery of one step; returns its outcome."""
        return str(getattr(pipeline, step)(order_id))

    def go_on(self, order_id: UUID, *, times: int = 4) -> Order:
        """Let leases and waits run out, and carry on; again where a step was postponed."""
        for _ in range(times):
            self.let_waits_run_out(order_id)
            if self.run(order_id).status is not OrderStatus.OPEN:
                break
        return self.order(order_id)

    def let_waits_run_out(self, order_id: UUID) -> None:
        """As if lease, retry delay and patience of the sweep were over; lease tokens stay, as after a crash."""
        with self.begin() as session:
            end_waits(session, order_id)

    def wakes_in(self, order_id: UUID) -> float:
        """Seconds until the sweep looks after the order."""
        query = text("select extract(epoch from wake_at - clock_timestamp()) from orders where id = :id")
        with self.begin() as session:
            return float(session.scalar(query, {"id": order_id}))

    def confirm(self, order_id: UUID, quote_id: UUID | None = None) -> None:
        """Accept a fresh quote: the proposed one, unless told."""
        accepted = quote_id or self.order(order_id).proposed_quote_id
        assert accepted is not None
        with self.begin() as session:
            placement.confirm(session, order_id=order_id, quote_id=accepted, now=self.time)

    def pay_again(self, order_id: UUID) -> None:
        with self.begin() as session:
            placement.pay_again(session, order_id=order_id)

    def cancel(self, order_id: UUID) -> OrderStatus:
        with self.begin() as session:
            return placement.cancel(session, order_id=order_id, by="the customer", now=self.time)

    def park(self, order_id: UUID) -> None:
        """Make it need a person's attention."""
        with self.begin() as session:
            assert attention.park(session, order_id, error="for the test")

    def refused(self, customer: Customer, *cart: CartLine, contact_id: UUID | None = None) -> list[Refusal]:
        """Why the cart gets no quote."""
        with pytest.raises(CartRefused) as refusal:
            self.quote(customer, *cart, contact_id=contact_id)
        return list(refusal.value.refusals)

    def authenticate(self, order_id: UUID, outcome: str = "succeed") -> None:
        """What the customer does on the bank's page: `succeed` or `fail`."""
        facts = self.order(order_id).reason_facts or {}
        httpx.post(facts["action_url"], data={"outcome": outcome}, timeout=240)

    def notify(self, charge_ref: str, kind: str = "payment_intent.succeeded", *, event_id: str | None = None) -> None:
        """A signed webhook about a charge arrives and is handled."""
        self.receive(charge_ref, kind, event_id=event_id)
        webhooks.handle_webhooks()

    def receive(
        self,
        charge_ref: str,
        kind: str,
        *,
        event_id: str | None = None,
        ago: timedelta = LONG_AGO,
    ) -> str:
        about = {"object": {"id": charge_ref, "object": "payment_intent"}}
        event = {"id": event_id or f"evt_{uuid4().hex}", "object": "event", "type": kind, "data": about}
        payload = json.dumps(event)
        signature = stripe.WebhookSignature.generate_signature_header(payload, WEBHOOK_SECRET, int(time.time()))
        received = webhooks.receive(payload.encode(), str(signature))
        with self.begin() as session:
            event_row = update(WebhookReceived).where(WebhookReceived.id == received)
            session.execute(event_row.values(received_at=WebhookReceived.received_at - ago))
        return received

    def order(self, order_id: UUID) -> Order:
        with self.begin() as session:
            return session.scalars(select(Order).where(Order.id == order_id).options(selectinload(Order.lines))).one()

    def subscription(self, customer: Customer, product: str) -> Subscription:
        with self.begin() as session:
            query = select(Subscription).where(
                Subscription.account_id == customer.account_id, Subscription.product_code == product
            )
            return session.scalars(query).one()

    def rows(self, table: type[Any], **where: Any) -> Sequence[Any]:
        with self.begin() as session:
            return session.scalars(select(table).filter_by(**where)).all()

    def charge_ref(self, order_id: UUID, attempt: int = 1) -> str:
        """What the provider knows that attempt's charge by."""
        [charge] = self.rows(ChargeAttempt, order_id=order_id, attempt=attempt)
        return str(charge.ref)

    def attempts(self, order_id: UUID) -> list[tuple[int, str, int]]:
        """(attempt, status, amount) of every charge attempt, in order."""
        rows = self.rows(ChargeAttempt, order_id=order_id)
        return sorted((row.attempt, row.status.value, row.amount_minor) for row in rows)

    def refunds(self, order_id: UUID) -> list[tuple[str, int]]:
        """(status, amount) of every refund attempt, in order."""
        rows = sorted(self.rows(RefundAttempt, order_id=order_id), key=lambda row: row.attempt)
        return [(row.status.value, row.amount_minor) for row in rows]

    def charged(self, customer: Customer) -> list[int]:
        """What the provider itself took from the customer: amounts in minor units, oldest first."""
        return [charge["amount"] for charge in self.books(customer)["charges"]]

    def given_back(self, customer: Customer) -> list[int]:
        return [refund["amount"] for refund in self.books(customer)["refunds"]]

    def intents(self, customer: Customer) -> list[dict[str, Any]]:
        """The provider's charges, those included that no bank was asked about."""
        return self.books(customer)["payment_intents"]

    def refunds_at_provider(self, charge_ref: str) -> list[str]:
        """Their states in the provider's words."""
        return [str(r.status) for r in self.stripe.client().v1.refunds.list({"payment_intent": charge_ref}).data]

    def books(self, customer: Customer) -> dict[str, list[dict[str, Any]]]:
        """What the provider has of them: charges, refunds, payment intents."""
        with self.begin() as session:
            ref = session.get_one(Account, customer.account_id).customer_ref
        return self.stripe.books(ref or "")

    def letters(self, order_id: UUID) -> list[str]:
        return sorted(row.kind.value for row in self.rows(SentLetter, order_id=order_id) if row.sent_at is not None)

    def mails(self, customer: Customer) -> list[str]:
        """Subjects that arrived in the customer's mailbox, oldest first."""
        found = self.mailbox.listed(f"to:{customer.email}")
        return [mail["Subject"] for mail in reversed(found)]

    def timeline(self, order_id: UUID) -> list[str]:
        with self.begin() as session:
            query = select(OrderEvent.kind).where(OrderEvent.order_id == order_id).order_by(OrderEvent.id)
            return list(session.scalars(query))

    def noted(self, order_id: UUID, kind: str) -> list[dict[str, Any]]:
        """The facts of the timeline's entries of this kind, oldest first."""
        entries = self.rows(OrderEvent, order_id=order_id, kind=kind)
        return [entry.facts for entry in sorted(entries, key=lambda entry: entry.id)]

    def outbox(self) -> list[tuple[UUID, Step]]:
        return [(row.order_id, row.step) for row in self.rows(OutboxMessage)]

    def support_cases(self, customer: Customer) -> list[tuple[str, str]]:
        return [(c.from_tier, c.to_tier) for c in self.rows(SupportCase, account_id=customer.account_id)]

    def reprice(self, product: str, tier: str, interval: Interval, unit_minor: int) -> None:
        """A new version of the catalogue, in effect now, in which one price differs."""

        def anew(price: Price) -> int:
            same = (price.product_code, price.tier_code, price.interval) == (product, tier, interval)
            return unit_minor if same else price.unit_minor

        self._price_anew(anew)

    def retire(self, product: str, tier: str, intervals: Iterable[Interval] = Interval) -> None:
        """A new version of the catalogue, in effect now, in which the tier has no price for these `intervals`."""
        gone = {(product, tier, interval) for interval in intervals}
        self._price_anew(
            lambda price: None if (price.product_code, price.tier_code, price.interval) in gone else price.unit_minor
        )

    def _price_anew(self, unit_minor: Callable[[Price], int | None]) -> None:
        with self.begin() as session:
            last = session.scalars(select(CatalogueVersion).order_by(CatalogueVersion.id.desc()).limit(1)).one()
            fresh = CatalogueVersion(effective_from=self.time, checksum=uuid4().hex)
            session.add(fresh)
            session.flush()
            for price in session.scalars(select(Price).where(Price.version_id == last.id)):
                unit = unit_minor(price)
                if unit is None:
                    continue
                session.add(
                    Price(
                        version_id=fresh.id,
                        product_code=price.product_code,
                        tier_code=price.tier_code,
                        interval=price.interval,
                        currency=price.currency,
                        unit_minor=unit,
                    )
                )


def end_waits(session: Session, order_id: UUID) -> None:
    """See `World.let_waits_run_out`. Until the transaction ends, a worker that lives cannot renew its lease."""
    past = func.clock_timestamp() - timedelta(seconds=1)
    session.execute(
        update(Order)
        .where(Order.id == order_id)
        .values(
            lease_until=case((Order.lease_token.is_not(None), past)),
            next_attempt_at=None,
            wake_at=case((Order.wake_at.is_not(None), past)),
        )
        .execution_options(synchronize_session=False)
    )


MONTH, YEAR = Interval.MONTH, Interval.YEAR


def purchase(product: str = "desk", tier: str = "team", seats: int = 10, interval: Interval = MONTH) -> CartLine:
    return CartLine(Action.PURCHASE, product, tier, seats, interval)


def trial(product: str = "desk", tier: str = "team", seats: int = 5) -> CartLine:
    return CartLine(Action.TRIAL, product, tier, seats)


def change(
    product: str = "desk", *, tier: str | None = None, seats: int | None = None, interval: Interval | None = None
) -> CartLine:
    return CartLine(Action.CHANGE, product, tier, seats, interval)
