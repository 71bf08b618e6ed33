"""What the tests of every payment provider need of one: its adapter, and what happens at the provider's end. Stripe's is here; another's goes beside it."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import httpx
import stripe

from api_stub.stand_ins.stripe.app import EVENTS
from tasks.ports import Charge, PaymentProvider
from tests.support.stripe_stand_in import WEBHOOK_SECRET, StripeStandIn, webhook_inbox

Notification = tuple[bytes, str]
"""body and signature"""


class ProviderUnderTest(Protocol):
    """An adapter, connected to the provider's stand-in or to its test mode. What makes trouble returns an adapter that soon gives up."""

    good_card: str
    """a token, as are the next ones"""
    declined_card: str
    """declined when it is charged"""
    refused_card: str
    """refused when it is given"""
    authenticated_card: str
    """its bank wants the customer to authenticate each payment"""

    @property
    def payments(self) -> PaymentProvider: ...

    def with_wrong_key(self, key: str) -> PaymentProvider: ...

    # trouble, until all is well again

    def loses_answers(self) -> PaymentProvider:
        """From now on what is asked for happens, and nobody is told."""
        ...

    def turns_away(self) -> PaymentProvider:
        """From now on nothing happens, and the provider says so."""
        ...

    def waits_for_the_bank(self) -> PaymentProvider:
        """The next charge is there to be seen, but its bank does not answer."""
        ...

    def is_well_again(self) -> None: ...

    # what others do

    def authenticate(self, waiting: Charge, *, passes: bool) -> None:
        """The customer, at the charge's `action_url`, whatever comes of it."""
        ...

    def dispute(self, charge_ref: str) -> None:
        """The customer's bank takes all of the charge back."""
        ...

    def delete_customer(self, customer_ref: str) -> None:
        """Somebody, in the provider's dashboard."""
        ...

    # the provider's own books and notifications

    def taken(self, customer_ref: str) -> list[int]:
        """Each amount that a customer has paid, in minor units."""
        ...

    def given_back(self, customer_ref: str) -> list[int]:
        """Each refund of it."""
        ...

    def notifications(self) -> AbstractContextManager[Callable[[], Notification]]:
        """What it sends meanwhile, one by one."""
        ...

    def sign(self, payload: bytes) -> str: ...


class StripeUnderTest:
    good_card = "pm_card_visa"
    declined_card = "pm_card_chargeCustomerFail"
    refused_card = "pm_card_chargeDeclinedExpiredCard"
    authenticated_card = "pm_card_threeDSecure2Required"

    def __init__(self, stand_in: StripeStandIn) -> None:
        self._stand_in = stand_in
        self.payments: PaymentProvider = stand_in.payments()

    def with_wrong_key(self, key: str) -> PaymentProvider:
        return self._stand_in.payments(api_key=key)

    def loses_answers(self) -> PaymentProvider:
        self._stand_in.fail("answer_lost")
        return self._stand_in.payments(patience=0.3)

    def turns_away(self) -> PaymentProvider:
        self._stand_in.fail("rate_limit")
        return self._stand_in.payments(patience=0.3)

    def waits_for_the_bank(self) -> PaymentProvider:
        self._stand_in.fail("hang_half_way", "payment_intents.create", times=1, seconds=600)
        return self._stand_in.payments(read_timeout=0.2, patience=0.3)

    def is_well_again(self) -> None:
        self._stand_in.calm()

    def authenticate(self, waiting: Charge, *, passes: bool) -> None:
        httpx.post(waiting.action_url or "", data={"outcome": "succeed" if passes else "fail"}, timeout=240)

    def dispute(self, charge_ref: str) -> None:
        self._stand_in.control("dispute", payment_intent=charge_ref, status="needs_response")

    def delete_customer(self, customer_ref: str) -> None:
        self._stand_in.client().v1.customers.delete(customer_ref)

    def taken(self, customer_ref: str) -> list[int]:
        return [charge["amount"] for charge in self._stand_in.books(customer_ref)["charges"]]

    def given_back(self, customer_ref: str) -> list[int]:
        return [refund["amount"] for refund in self._stand_in.books(customer_ref)["refunds"]]

    @contextmanager
    def notifications(self) -> Iterator[Callable[[], Notification]]:
        with webhook_inbox() as inbox:
            self._stand_in.control("webhook", url=inbox.url, secret=WEBHOOK_SECRET, events=EVENTS.split(","), copies=1)
            try:
                yield inbox.next
            finally:
                self._stand_in.control("webhook", url="", events=[])

    def sign(self, payload: bytes) -> str:
        return str(
            stripe.WebhookSignature.generate_signature_header(payload.decode(), WEBHOOK_SECRET, int(time.time()))
        )
