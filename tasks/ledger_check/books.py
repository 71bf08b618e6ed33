"""Everything recorded about the money of an account and of each of its orders, as `reading` brings it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from models.accounts import VatCheck
from models.invoices import Invoice, InvoiceLine, Receivable
from models.ledger import Cause, LedgerMovement, MovementKind, cause_of
from models.orders import Order, OrderEvent, OrderLine, Quote, QuoteLine
from models.payments import ChargeAttempt, RefundAttempt
from models.rules.cart import SubscriptionStatus
from models.rules.period import Interval
from models.states import AFTER_ACTIVATION, REFUNDED_BY_SUPPORT, AttemptStatus, OrderStatus, RefundState
from models.subscriptions import SubscriptionPeriod
from models.timeline_kinds import CAME_BACK, WENT_BACK, Kind
from models.vat_follow_ups import VatFollowUp

_OF_CHARGE: Final = {"attempt": int, "amount_minor": int}
_OF_REFUND: Final = {**_OF_CHARGE, "refund": str}
NOTES: Final[Mapping[str, Mapping[str, type]]] = {
    Kind.CHARGE_UNEXPECTED: _OF_CHARGE,
    **dict.fromkeys((*WENT_BACK, *CAME_BACK), _OF_REFUND),
}
"""kinds of timeline entries about money that came or went without our doing, and the facts that each must have, with their types"""


@dataclass(frozen=True, slots=True)
class OrderBook:
    order: Order
    quote: Quote
    """the one that was accepted last"""
    vat_follow_up: VatFollowUp | None
    vat_check: VatCheck | None
    """the registry's answer on which it rests, or by which its VAT was corrected"""
    quoted: list[QuoteLine] = field(default_factory=list)
    lines: list[OrderLine] = field(default_factory=list)
    charges: list[ChargeAttempt] = field(default_factory=list)
    refunds: list[RefundAttempt] = field(default_factory=list)
    notes: list[OrderEvent] = field(default_factory=list)
    """its timeline entries of the kinds in `NOTES`"""
    disputes: list[OrderEvent] = field(default_factory=list)
    """its timeline entries about disputes, oldest first"""
    disputes_settled: list[OrderEvent] = field(default_factory=list)
    """those that say which a person has settled"""
    settled: list[OrderEvent] = field(default_factory=list)
    """its timeline entries that a refund was made by other means, oldest first"""
    vat_taken_off: list[OrderEvent] = field(default_factory=list)
    """its timeline entries that VAT was taken off a period without a document"""
    vat_followed_up: list[OrderEvent] = field(default_factory=list)
    """its timeline entries that the registry answered late, oldest first"""
    movements: list[LedgerMovement] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)
    invoice_lines: dict[UUID, list[InvoiceLine]] = field(default_factory=dict)
    receivables: dict[UUID, Receivable] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    """the products of which it charged a period"""
    credited: dict[UUID, tuple[SubscriptionPeriod, Order | None]] = field(default_factory=dict)
    """the account's periods that its lines credit, each with the order of the account's that charged it"""

    @property
    def where(self) -> str:
        return f"order {self.order.number}"

    @property
    def is_active(self) -> bool:
        """Whether what it bought is active, and it is not being refunded."""
        if self.order.status in (OrderStatus.OPEN, OrderStatus.NEEDS_ATTENTION):
            return self.order.next_step in AFTER_ACTIVATION
        return self.order.status is OrderStatus.COMPLETED

    @property
    def was_active(self) -> bool:
        """Whether what it bought was ever active. Among refunded orders, that is so only for those that support refunded."""
        return self.is_active or self.order.reason == REFUNDED_BY_SUPPORT

    @property
    def called_back(self) -> bool:
        """Whether a refund of its charge failed: it may be at `refund_payment` with that step done, or have ended as refunded before."""
        charged = {charge.attempt for charge in self.charges if charge.status is AttemptStatus.SUCCEEDED}
        return any(r.charge_attempt in charged and r.status is RefundState.FAILED for r in self.refunds)

    def moved_by(self, cause: Cause) -> int:
        """The order's balance movement for this cause, in minor units; negative if taken."""
        kept_as = cause_of(self.order.id, cause)
        return sum(m.amount_minor for m in self.movements if m.cause == kept_as)


class Movement(NamedTuple):
    id: UUID
    currency: str
    sequence: int
    kind: MovementKind
    amount_minor: int
    balance_minor: int
    cause: str
    order_id: UUID | None
    is_of_account: bool
    """whether that order is the account's"""


class SubscriptionBook(NamedTuple):
    id: UUID
    product_code: str
    status: SubscriptionStatus
    tier_code: str
    seats: int
    interval: Interval | None
    period_start: datetime
    period_end: datetime


class PeriodBook(NamedTuple):
    id: UUID
    order_id: UUID
    tier_code: str
    seats: int
    interval: Interval | None
    starts_at: datetime
    ends_at: datetime
    charged_minor: int
    tax_minor: int
    closed_at: datetime | None
    unused_minor: int | None
    unused_tax_minor: int | None


@dataclass(frozen=True, slots=True)
class Books:
    """One account's, each of its lists to be read once, before the next account's."""

    account_id: UUID
    movements: Iterable[Movement]
    """by currency and sequence"""
    orders: Iterable[OrderBook]
    """by number"""
    subscriptions: Iterable[tuple[SubscriptionBook, list[PeriodBook]]]
    """with their periods, oldest first"""
