"""The outside services that the steps need, as protocols and plain values; `worker` plugs in the real ones at start.

Amounts are integers in minor units of `currency` (cents for EUR). Every call that makes something outside takes an
idempotency key made from the thing itself; the caller has committed that key before the first try.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from typing import Protocol
from uuid import UUID

from models.states import DisputeStatus

# --- payments


class ChargeStatus(StrEnum):
    """A charge's status at the provider; the status that we record is an `AttemptStatus` (`models.states`)."""

    UNTRIED = "untried"
    """Made, but no bank was asked: the request for it is still under way, or failed half-way at the provider."""
    SUCCEEDED = "succeeded"
    REQUIRES_ACTION = "requires_action"
    """The customer must authenticate (3-D Secure) at `Charge.action_url`."""
    PROCESSING = "processing"
    """Accepted, outcome not known yet; ask again."""
    DECLINED = "declined"
    """The money was not taken; `Charge.decline_code` says why. This attempt is over."""
    CANCELED = "canceled"


TAKES = (ChargeStatus.SUCCEEDED, ChargeStatus.PROCESSING, ChargeStatus.REQUIRES_ACTION)
"""statuses of a charge that has taken money, or may yet"""

UNDER_WAY = timedelta(seconds=60)
"""how long after a request for a charge was planned it may still take effect: sent as late as `PLANS_HOLD` allows, and timed out, or failed at the provider"""

PLANS_HOLD = 10.0
"""seconds for which a planned charge may be sent, by a process that was frozen, say. After that it is planned anew, as others may have taken the order
over and given the attempt up: so it is less than `UNDER_WAY`, even with the longest try of a call"""


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    order_id: UUID
    attempt: int
    key: str
    """`order:{id}:charge:{attempt}`"""
    customer_ref: str
    payment_method_ref: str
    amount_minor: int
    currency: str
    """ISO 4217, upper case"""
    description: str
    made_at: float = field(default_factory=time.time, compare=False)
    """when it was planned, in seconds since the epoch on this host; the plan is valid for `PLANS_HOLD`"""


@dataclass(frozen=True, slots=True)
class Charge:
    ref: str
    """the provider's id of it"""
    status: ChargeStatus
    amount_minor: int
    currency: str
    decline_code: str | None = None
    action_url: str | None = field(default=None, repr=False)
    """for the customer only: anybody who has it can authenticate the payment"""
    order_id: UUID | None = None
    """from the provider's metadata, as is `attempt`; None where the provider has none"""
    attempt: int | None = None
    refunded: bool = False
    """All of it went back, whoever did that. Only `find_charges` and `retrieve_charge` tell it, and `charge` under a key that was used before."""
    refunded_minor: int = 0
    """How much of it went back, or is about to. Told as `refunded` is, and by `charges_made`."""
    made_before: bool = field(default=False, compare=False)
    """only of what `charge` returns: an earlier request under the same key has made it"""
    disputed: bool = False
    """The customer's bank has asked about it, or taken it back, ever. Told as `refunded` is; `find_disputes` has the details."""


@dataclass(frozen=True, slots=True)
class RefundRequest:
    order_id: UUID
    attempt: int
    key: str
    """`order:{id}:refund:{attempt}`"""
    charge_ref: str
    amount_minor: int
    currency: str


class RefundStatus(StrEnum):
    """A refund's status at the provider; the state that we record is a `RefundState` (`models.states`)."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    AWAITING_FUNDS = "awaiting_funds"
    """Accepted, but not sent until a person tops up our account at the provider, which has too little money for it."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Refund:
    ref: str
    status: RefundStatus
    amount_minor: int
    currency: str
    failure_reason: str | None = None
    attempt: int | None = None
    """from the provider's metadata, to find the refund of a `RefundRequest.attempt`"""
    order_id: UUID | None = None
    """likewise"""
    charge_ref: str | None = None
    """of the refunded charge"""


@dataclass(frozen=True, slots=True)
class Dispute:
    ref: str
    status: DisputeStatus
    amount_minor: int
    """may differ from the charge's amount: a part is disputed, or the exchange rate has changed"""
    currency: str
    reason: str
    """the bank's, in the provider's words: fraudulent, product_not_received, ..."""
    refundable: bool
    """whether the provider still refunds the charge, and has let the bank take nothing that it has yet; once all is refunded, it lets it take no more"""
    due_at: datetime | None = None
    """until when we may answer; None: the bank takes no answer"""
    charge_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A charge or a refund that this release cannot read. Usually the provider has given it a status that is newer than the release."""

    ref: str
    status: str
    order_id: UUID | None = None
    """from the provider's metadata, as is `attempt`"""
    attempt: int | None = None
    charge_ref: str | None = None
    """of a refund"""


@dataclass(frozen=True, slots=True)
class StoredPaymentMethod:
    ref: str
    """the provider's id of the method as attached to the customer"""
    brand: str
    last4: str


class EventKind(Enum):
    """What a notification says about a charge."""

    TAKEN = auto()
    """it was made, or has succeeded: nothing new once we have recorded it as taken"""
    REFUND = auto()
    """a refund of it was made, or has changed"""
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """A notification whose signature was checked; only its ids are trusted, the object is fetched again."""

    id: str
    type: str
    """the provider's own name for what happened; `PaymentProvider.event_kinds` says what it means"""
    charge_ref: str | None
    """of the charge it is about, None when it is about something else"""


class PaymentProvider(Protocol):
    """All methods raise TemporarilyUnavailable (not done), OutcomeUnknown (perhaps done), Misconfigured (a person must look)."""

    @property
    def event_kinds(self) -> Mapping[str, EventKind]:
        """The meaning of its events, by its own names for them; any other name means OTHER. Events are stored under these names, some by
        earlier releases: keep names that the provider no longer uses."""
        ...

    def charge_unit(self, currency: str) -> int:
        """What every charge must be a multiple of, in minor units: 1, or 10 where a currency's last digit cannot be charged (KWD)."""
        ...

    def create_customer(
        self, *, account_id: UUID, name: str, email: str | None, key: str, instead_of: str | None = None
    ) -> str:
        """Returns the provider's id of the customer; the same key gives the same customer. instead_of: the account's customer before, who was
        deleted (see `find_charges`). Raises Refused for an `email` that the provider does not accept."""
        ...

    def attach_payment_method(self, *, customer_ref: str, token: str, key: str) -> StoredPaymentMethod:
        """Store the card that the customer's browser gave us (`token`) for charges to come. Of what is no card, nothing stays there. Raises PaymentMethodRefused, CustomerDeleted."""
        ...

    def charge(self, request: ChargeRequest) -> Charge:
        """Create and confirm in one call. A refused card is a Charge with status DECLINED, not an exception.

        Raises PaymentMethodRefused for a method that cannot be charged any more, also because its customer was deleted. Raises OutcomeUnknown,
        and asks for nothing, once the plan is older than `PLANS_HOLD`: others may have given the attempt up.
        """
        ...

    def find_charges(self, *, customer_ref: str, order_id: UUID, since: datetime) -> Sequence[Charge]:
        """Every charge of this order the provider knows, newest first: by listing the customer's and matching metadata.

        since: the order has no older charge. Where the customer was deleted, or has none and took a deleted one's place from then on, all charges made
        from then on may be listed, whoever's they are: a customer whom a restored database has forgotten may have paid.
        Raises Misconfigured for a customer whom it never had: an empty list would say that the order was never charged.
        """
        ...

    def retrieve_charge(self, ref: str) -> Charge: ...

    def cancel_charge(self, ref: str) -> Charge:
        """Cancel a charge that has not succeeded yet; one that has succeeded is returned as SUCCEEDED, untouched.

        Sends no idempotency key: cancelling is idempotent anyway, and a failure stored under a key would be repeated for a day.
        """
        ...

    def refund(self, request: RefundRequest) -> Refund:
        """Refund money. Raises Refused if the provider will not (over-refund), ChargeDisputed if the customer's bank has taken the charge back."""
        ...

    def find_refunds(self, *, charge_ref: str) -> Sequence[Refund]: ...

    def find_disputes(self, *, charge_ref: str) -> Sequence[Dispute]:
        """Every dispute of the charge, newest first."""
        ...

    def charges_made(self, since: datetime, until: datetime) -> Iterator[Charge | Unreadable]:
        """Every charge made from `since` to just before `until`, newest first, whoever made it. Fetched page by page, as it is read."""
        ...

    def refunds_made(self, since: datetime, until: datetime) -> Iterator[Refund | Unreadable]:
        """Likewise."""
        ...

    def disputes_made(self, since: datetime, until: datetime) -> Iterator[Dispute]:
        """Likewise, every dispute opened."""
        ...

    def read_webhook(self, *, payload: bytes, signature: str) -> WebhookEvent:
        """Check the signature (with its time tolerance) and read the event.

        Raises Refused: code "signature" if it is forged or stale, whatever its content; "malformed" if it is signed but not an event.
        """
        ...


# --- the VAT registry


class VatStatus(StrEnum):
    VALID = "valid"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"
    """Says nothing about the number; never cached."""


@dataclass(frozen=True, slots=True)
class VatAnswer:
    status: VatStatus
    number: str
    """as the registry wants it: country prefix (EL for Greece) and digits"""
    asked_at: datetime
    consultation_number: str | None = None
    """the registry's receipt for our question, None if it gave none (needs a requester number)"""
    name: str | None = None
    address: str | None = None
    reason: str | None = None
    """for UNAVAILABLE: the registry's error code, or "timeout", "unreachable" """


class VatRegistry(Protocol):
    def check(self, number: str, *, requester: str | None) -> VatAnswer:
        """Ask about a number already normalized by `models.rules.vat`. An outage is an answer, UNAVAILABLE, not an exception.

        requester: our own VAT number in the same form; with it the registry gives a consultation number. None if it knows no such number.
        Raises Misconfigured where the registry rejects the request itself, NumberRejected if that concerns this number only.
        """
        ...


# --- mail


@dataclass(frozen=True, slots=True)
class Attachment:
    filename: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Letter:
    """One email. Its body never reaches a log, hence out of the repr."""

    message_id: str
    """stable, made from order and kind, with angle brackets: `<order-….confirmation@prorata.example>`"""
    to: str = field(repr=False)
    """a bare address, no display name"""
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str = field(repr=False)
    language: str
    attachments: tuple[Attachment, ...] = ()


class Mailer(Protocol):
    def send(self, letter: Letter) -> None:
        """Hand over to the mail server.

        Raises TemporarilyUnavailable, OutcomeUnknown (the answer to DATA was lost), AddressRefused, Refused (the letter itself
        is not accepted), Misconfigured (login, certificate, sender).
        """
        ...
