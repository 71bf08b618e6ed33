"""Payments by Stripe, through its official SDK.

Used: customers, payment methods (attach), PaymentIntents created and confirmed in one call, refunds, signed webhooks.
Cards only: `allowed_payment_method_types` names them (API versions before 2026-07-29 called it payment_method_types), so
the one redirect that can be asked for is 3-D Secure, whose page Stripe hosts because we give a `return_url` and no
Stripe.js. The customer placed the order just now, so payments are on-session; `off_session` would turn 3-D Secure into a
decline. Not used: SetupIntents, manual capture, Checkout, Stripe's own retries and telemetry, Stripe's email receipts.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NoReturn
from uuid import UUID

import stripe
import structlog
from stripe.params import CustomerCreateParams, DisputeListParams

from tasks.errors import Misconfigured, OutcomeUnknown, PaymentMethodRefused, Refused
from tasks.ports import (
    PLANS_HOLD,
    Charge,
    ChargeRequest,
    Dispute,
    EventKind,
    Refund,
    RefundRequest,
    StoredPaymentMethod,
    Unreadable,
    WebhookEvent,
)
from worker.adapters import stripe_disputes
from worker.adapters import stripe_pages as pages
from worker.adapters import stripe_reading as reading
from worker.adapters import stripe_refusals as refusals
from worker.adapters.stripe_amounts import charge_unit, to_stripe
from worker.adapters.stripe_calls import Calls, StripeAnswer
from worker.adapters.stripe_errors import Refusal, describe, misconfigured, unexpected
from worker.adapters.stripe_http import http_client

LONGEST = 100
"""characters of an id or an event's type"""
PATIENCE = 8.0
"""seconds after which no further try of a call begins"""
CONNECT_TIMEOUT = 3.0
"""seconds that a try waits for the connection"""
_INSTEAD_OF = "instead_of"
"""in the metadata of a customer: that of the account before, who was deleted"""
_CLOCKS_DIFFER = timedelta(hours=1)
"""at most: Stripe's clock and ours"""
log = structlog.get_logger(__name__)

_WEBHOOK_TOLERANCE = 300
"""seconds that a webhook's signature may be old, or ahead of our clock"""


class StripePayments:
    """A `tasks.ports.PaymentProvider`; one per process, shared by its threads.

    orders_page: after 3-D Secure the bank sends the customer to the order's own page, `{orders_page}/{order_id}`
    api_base: another server than Stripe's, e.g. `http://127.0.0.1:12111`
    connect_timeout, read_timeout: seconds for one try
    patience: seconds after which no further try begins
    """

    def __init__(
        self,
        *,
        api_key: str,
        webhook_secret: str,
        orders_page: str,
        api_base: str | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = 20.0,
        patience: float = PATIENCE,
    ) -> None:
        stripe.enable_telemetry = False
        # Below it the SDK logs bodies, addresses and client secrets.
        logging.getLogger("stripe").setLevel(logging.WARNING)
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": api_base.rstrip("/")} if api_base else None,
            max_network_retries=0,
            http_client=http_client(
                api_base or stripe.DEFAULT_API_BASE, connect_timeout=connect_timeout, read_timeout=read_timeout
            ),
        )
        self._calls = Calls(patience=patience)
        self._orders_page = orders_page
        self._webhook_secret = webhook_secret

    @property
    def event_kinds(self) -> Mapping[str, EventKind]:
        return reading.EVENT_KINDS

    def charge_unit(self, currency: str) -> int:
        return charge_unit(currency)

    def create_customer(
        self, *, account_id: UUID, name: str, email: str | None, key: str, instead_of: str | None = None
    ) -> str:
        metadata = {"account_id": str(account_id)} | ({_INSTEAD_OF: instead_of} if instead_of else {})
        asked: CustomerCreateParams = {"name": name, "metadata": metadata}
        if email is not None:
            asked["email"] = email
        return self._calls.change(
            lambda: self._client.v1.customers.create(asked, {"idempotency_key": key}).id,
            refused=refusals.customer,
        )

    def attach_payment_method(self, *, customer_ref: str, token: str, key: str) -> StoredPaymentMethod:
        def attach() -> tuple[stripe.PaymentMethod, StoredPaymentMethod | None]:
            method = self._client.v1.payment_methods.attach(token, {"customer": customer_ref}, {"idempotency_key": key})
            return method, reading.payment_method(method)

        def refused(error: Refusal) -> NoReturn:
            refusals.method(error, customer_ref=customer_ref, is_deleted=lambda: self._is_deleted(customer_ref))

        method, card = self._calls.change(attach, refused=refused)
        if card is None:
            self._detach(method.id)
            raise PaymentMethodRefused(f"{method.id} is no card but {method.type}", code="not_a_card")
        if reading.is_replayed(method.last_response) and not self._is_attached(method.id, customer_ref):
            raise PaymentMethodRefused(f"{method.id} was detached meanwhile", code=refusals.UNUSABLE)
        return card

    def _detach(self, ref: str) -> None:
        """One that is detached already is left alone."""
        self._calls.change(lambda: self._client.v1.payment_methods.detach(ref).id, refused=lambda _: ref)

    def _is_attached(self, ref: str, customer_ref: str) -> bool:
        def unknown(error: Refusal) -> bool:
            if error.code == "resource_missing":
                return False
            raise misconfigured(error) from None

        return self._calls.ask(
            lambda: reading.customer_of(self._client.v1.payment_methods.retrieve(ref)) == customer_ref,
            refused=unknown,
        )

    def _is_deleted(self, customer_ref: str) -> bool:
        return _was_deleted(self._customer(customer_ref))

    def _customer(self, ref: str) -> stripe.Customer:
        """Raises Misconfigured where Stripe never had such a customer: one that was deleted it still knows."""

        def unknown(error: Refusal) -> NoReturn:
            raise Misconfigured(
                f"Stripe's API key finds no customer {ref}: is it of the Stripe account, and in the mode (test or live), in which"
                f" the customer was made? See PRORATA_STRIPE_API_KEY: {describe(error)}"
            ) from None

        return self._calls.ask(lambda: self._client.v1.customers.retrieve(ref), refused=unknown)

    def charge(self, request: ChargeRequest) -> Charge:
        amount = to_stripe(request.amount_minor, request.currency)

        def create() -> StripeAnswer[Charge]:
            if (
                time.time() > request.made_at + PLANS_HOLD
            ):  # this process was frozen; others may have given the attempt up
                raise OutcomeUnknown(f"too late to ask for {request.key} by an old plan")
            intent = self._client.v1.payment_intents.create(
                {
                    "amount": amount,
                    "currency": request.currency.lower(),
                    "customer": request.customer_ref,
                    "payment_method": request.payment_method_ref,
                    "allowed_payment_method_types": ["card"],
                    "confirm": True,
                    "return_url": f"{self._orders_page}/{request.order_id}",
                    "description": request.description,
                    "metadata": _metadata(request),
                },
                {"idempotency_key": request.key},
            )
            return StripeAnswer(reading.charge(intent), replayed=reading.is_replayed(intent.last_response))

        def refused(error: Refusal) -> StripeAnswer[Charge]:
            return refusals.charge(
                error,
                is_deleted=lambda: self._is_deleted(request.customer_ref),
                is_theirs=lambda: self._is_attached(request.payment_method_ref, request.customer_ref),
            )

        answer = self._calls.change(create, refused=refused)
        now = self._calls.as_of_now(answer, lambda: self.retrieve_charge(answer.value.ref))
        return replace(now, made_before=answer.replayed)

    def find_charges(self, *, customer_ref: str, order_id: UUID, since: datetime) -> Sequence[Charge]:
        def listed() -> Sequence[Charge] | None:
            intents = self._client.v1.payment_intents.list(
                {"customer": customer_ref, "limit": pages.PAGE, "expand": ["data.latest_charge"]}
            )
            # Others may charge the same customer, in ways that we cannot read.
            ours = (intent for intent in intents.auto_paging_iter() if reading.order_of(intent) == order_id)
            return [reading.charge(intent) for intent in ours]

        def refused(error: Refusal) -> None:
            if not (refusals.is_of_customer(error) and self._is_deleted(customer_ref)):
                raise misconfigured(error) from None

        found = self._calls.ask(listed, refused=refused)
        if found is None or (not found and self._may_lack_charges(customer_ref, since)):
            return self._charges_since(since, order_id)
        return found

    def _may_lack_charges(self, customer_ref: str, since: datetime) -> bool:
        """Whether it was deleted; or the account may have been charged `since` as another customer, whom a restored database has forgotten: this one
        took the place of one that was deleted, and is not older. The first customer of an account may be as young, but of every new one all charges would be listed.
        """
        customer = self._customer(customer_ref)
        if _was_deleted(customer):
            return True
        took_a_place = _INSTEAD_OF in (customer.metadata or {})
        return took_a_place and customer.created >= (since - _CLOCKS_DIFFER).timestamp()

    def _charges_since(self, since: datetime, order_id: UUID) -> Sequence[Charge]:
        """An order's charges, among those of everybody. since: by our clock."""
        made = pages.made(
            self._client.v1.payment_intents.list,
            self._calls,
            since - _CLOCKS_DIFFER,
            datetime.now(UTC) + _CLOCKS_DIFFER,
        )
        return [self.retrieve_charge(intent.id) for intent in made if reading.order_of(intent) == order_id]

    def retrieve_charge(self, ref: str) -> Charge:
        return self._calls.ask(
            lambda: reading.charge(self._client.v1.payment_intents.retrieve(ref, {"expand": ["latest_charge"]})),
            refused=unexpected,
        )

    def cancel_charge(self, ref: str) -> Charge:
        def too_late(error: Refusal) -> Charge:
            if error.code == "payment_intent_unexpected_state":
                return self.retrieve_charge(ref)
            raise misconfigured(error) from None

        # The SDK gives each try a key of its own.
        return self._calls.change(lambda: reading.charge(self._client.v1.payment_intents.cancel(ref)), refused=too_late)

    def refund(self, request: RefundRequest) -> Refund:
        amount = to_stripe(request.amount_minor, request.currency)

        def create() -> StripeAnswer[Refund]:
            refund = self._client.v1.refunds.create(
                {"payment_intent": request.charge_ref, "amount": amount, "metadata": _metadata(request)},
                {"idempotency_key": request.key},
            )
            return StripeAnswer(reading.refund(refund), replayed=reading.is_replayed(refund.last_response))

        answer = self._calls.change(create, refused=refusals.refund)
        return self._calls.as_of_now(answer, lambda: self._retrieve_refund(answer.value.ref))

    def _retrieve_refund(self, ref: str) -> Refund:
        return self._calls.ask(lambda: reading.refund(self._client.v1.refunds.retrieve(ref)), refused=unexpected)

    def find_refunds(self, *, charge_ref: str) -> Sequence[Refund]:
        def listed() -> Sequence[Refund]:
            refunds = self._client.v1.refunds.list({"payment_intent": charge_ref, "limit": pages.PAGE})
            return [reading.refund(refund) for refund in refunds.auto_paging_iter()]

        return self._calls.ask(listed, refused=unexpected)

    def find_disputes(self, *, charge_ref: str) -> Sequence[Dispute]:
        def listed() -> Sequence[Dispute]:
            asked: DisputeListParams = {
                "payment_intent": charge_ref,
                "limit": pages.PAGE,
                "expand": stripe_disputes.WITH,
            }
            disputes = self._client.v1.disputes.list(asked)
            return [stripe_disputes.dispute(dispute) for dispute in disputes.auto_paging_iter()]

        return self._calls.ask(listed, refused=unexpected)

    def charges_made(self, since: datetime, until: datetime) -> Iterator[Charge | Unreadable]:
        listing = self._client.v1.payment_intents.list
        made = pages.made(listing, self._calls, since, until, expand=["data.latest_charge"])
        return map(reading.listed_charge, made)

    def refunds_made(self, since: datetime, until: datetime) -> Iterator[Refund | Unreadable]:
        return map(reading.listed_refund, pages.made(self._client.v1.refunds.list, self._calls, since, until))

    def disputes_made(self, since: datetime, until: datetime) -> Iterator[Dispute]:
        listing = self._client.v1.disputes.list
        made = pages.made(listing, self._calls, since, until, expand=stripe_disputes.WITH)
        return map(stripe_disputes.dispute, made)

    def read_webhook(self, *, payload: bytes, signature: str) -> WebhookEvent:
        self._require_signature(payload, signature)
        try:
            event = json.loads(payload)  # only three fields are needed; the library's objects would double the cost
            connected = event.get("account")
            charge_ref = reading.intent_of(event) if connected is None else None  # with our key, nobody finds theirs
            read = WebhookEvent(id=event["id"], type=event["type"], charge_ref=charge_ref)
            if event.get("object") == "v2.core.event":
                raise ValueError("a thin event, which is for another kind of endpoint")
            if not all(_is_name(text) for text in (read.id, read.type, read.charge_ref or "")):
                raise ValueError("no id or type of an event looks like this")
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            raise Refused("the webhook is not an event", code="malformed") from None
        if connected is not None:
            log.warning("webhook of a connected account, put aside", event_id=read.id, connected=str(connected)[:60])
        return read

    def _require_signature(self, payload: bytes, signature: str) -> None:
        """Checked first: a sender who cannot sign learns nothing else, whatever is wrong with body or header."""
        try:
            stripe.WebhookSignature.verify_header(payload, signature, self._webhook_secret, _WEBHOOK_TOLERANCE)
            signed_at = _signed_at(signature)
        except (stripe.SignatureVerificationError, ValueError, TypeError):  # the last two: not text, or not ASCII
            raise Refused("the webhook's signature does not hold", code="signature") from None
        if signed_at > time.time() + _WEBHOOK_TOLERANCE:  # the library refuses only old signatures
            raise Refused("the webhook was signed in the future", code="signature")


def _was_deleted(customer: stripe.Customer) -> bool:
    return bool(getattr(customer, "deleted", False))


def _metadata(request: ChargeRequest | RefundRequest) -> dict[str, str]:
    return {"order_id": str(request.order_id), "attempt": str(request.attempt), "key": request.key}


def _is_name(text: object) -> bool:
    return isinstance(text, str) and len(text) <= LONGEST and text.isascii() and "\0" not in text


def _signed_at(signature: str) -> int:
    """Seconds since 1970, from a header that the library has accepted."""
    return int(next(part[2:] for part in signature.split(",") if part.startswith("t=")))
