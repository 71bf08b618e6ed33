"""Quotes and the orders placed on them. Amounts are minor units of the row's currency; a line is priced the same in both."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, relationship

from models.accounts import Language
from models.base import Base, CreatedAt, Currency, Key, Listed, Minor, Rate
from models.never_changed import append_only
from models.rules.cart import Action
from models.rules.period import Interval
from models.rules.vat import Treatment
from models.states import FINAL, OrderStatus, PaymentKind, Step


class PricedLine:
    """One line with its whole arithmetic: its charge, its credit, the period of each, and their tax."""

    position: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[Action] = mapped_column(Listed(Action))
    product_code: Mapped[str] = mapped_column(String(60))
    tier_code: Mapped[str] = mapped_column(String(60))
    seats: Mapped[int]
    interval: Mapped[Interval | None] = mapped_column(Listed(Interval, "billing_interval"))
    unit_minor: Mapped[Minor]
    """price per seat and period, net; 0 on a trial"""
    charge_minor: Mapped[Minor]
    """unit x seats: the whole new period, net"""
    unused_minor: Mapped[Minor]
    """credit for the rest of the running period, net, not negative"""
    net_minor: Mapped[Minor]
    """charge - unused; negative where the customer gets money back"""
    tax_rate: Mapped[Rate]
    tax_treatment: Mapped[Treatment] = mapped_column(Listed(Treatment))
    charge_tax_minor: Mapped[Minor]
    unused_tax_minor: Mapped[Minor]
    """at the rate of the period that is credited"""
    tax_minor: Mapped[Minor]
    total_minor: Mapped[Minor]
    period_start: Mapped[datetime]
    period_end: Mapped[datetime]
    anchor_day: Mapped[int]
    from_tier: Mapped[str | None] = mapped_column(String(60))
    """the tier before a change, or of the running trial that is bought; None on lines that replace nothing"""
    from_seats: Mapped[int | None]
    from_interval: Mapped[Interval | None] = mapped_column(Listed(Interval, "billing_interval"))
    from_period_id: Mapped[UUID | None]
    from_charged_minor: Mapped[Minor | None]
    from_tax_rate: Mapped[Rate | None]
    from_period_start: Mapped[datetime | None]
    from_period_end: Mapped[datetime | None]
    share_left: Mapped[int | None] = mapped_column(BigInteger)
    """units of the running period left at the change, out of `share_whole`; `share_unit` says which `Unit` of `models.rules.proration`"""
    share_whole: Mapped[int | None] = mapped_column(BigInteger)
    share_unit: Mapped[str | None] = mapped_column(String(20))

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Any, ...]:  # noqa: N805 - SQLAlchemy calls it with the class
        return (
            CheckConstraint("seats > 0", name="seats_positive"),
            CheckConstraint("net_minor = charge_minor - unused_minor", name="net_adds_up"),
            CheckConstraint("tax_minor = charge_tax_minor - unused_tax_minor", name="tax_adds_up"),
            CheckConstraint("total_minor = net_minor + tax_minor", name="total_adds_up"),
            CheckConstraint("charge_minor >= 0 and unused_minor >= 0", name="amounts_not_negative"),
        )


class Totals:
    """The sum of the lines and how it is settled: total = net + tax; balance pays first, the rest is due, or becomes balance."""

    currency: Mapped[Currency]
    net_minor: Mapped[Minor]
    tax_minor: Mapped[Minor]
    total_minor: Mapped[Minor]
    balance_used_minor: Mapped[Minor]
    due_minor: Mapped[Minor]
    to_balance_minor: Mapped[Minor]
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of everything that determines the amount"""
    as_of: Mapped[datetime]
    """the instant at which the order takes effect, and from which periods are counted"""
    vat_number: Mapped[str | None] = mapped_column(String(30))
    """the VAT number on which the tax treatment is based, in the registry's format"""
    vat_set_aside: Mapped[bool] = mapped_column(default=False)
    """VAT is charged although the buyer gave a number, because the registry could not be asked"""
    sold_to: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """see `models.sold_to`; None on rows that are older than this column"""


def _totals_add_up() -> tuple[CheckConstraint, ...]:
    return (
        CheckConstraint("total_minor = net_minor + tax_minor", name="total_adds_up"),
        CheckConstraint("due_minor = total_minor + to_balance_minor - balance_used_minor", name="due_adds_up"),
        CheckConstraint(
            "due_minor >= 0 and balance_used_minor >= 0 and to_balance_minor >= 0", name="settlement_not_negative"
        ),
    )


class Quote(Totals, Base):
    """A binding offer until `expires_at`."""

    __tablename__ = "quotes"
    __table_args__ = (*_totals_add_up(), Index("ix_quotes_expires_at", "expires_at"))

    id: Mapped[Key]
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contacts.id"))
    expires_at: Mapped[datetime]
    needs_payment_details: Mapped[bool]
    created_at: Mapped[CreatedAt]

    lines: Mapped[list["QuoteLine"]] = relationship(lazy="raise", order_by="QuoteLine.position", cascade="all")


class QuoteLine(PricedLine, Base):
    __tablename__ = "quote_lines"

    quote_id: Mapped[UUID] = mapped_column(ForeignKey("quotes.id", ondelete="CASCADE"), primary_key=True)


NOT_ENDED = f"status not in ({', '.join(repr(status.value) for status in OrderStatus if status in FINAL)})"
"""condition of the index over orders that have not ended. Repeat it word for word in queries, or PostgreSQL will not use the partial index"""

_ENDED_WITHOUT = "status in ('rejected', 'cancelled', 'refunded')"
"""few: so a list of them need not pass by all that were completed"""

NAMES_SOMEBODY = "strpos(reason_facts::text, '@') > 0"
"""condition of the index over orders whose reason may have people's addresses; queries must repeat it to use the index"""


class Order(Totals, Base):
    """One purchase, as the customer confirmed it, and how far it has come.

    `next_step` and the lease say whose turn it is: a step claims the order by taking the lease with a token of its own and
    may write only while the order still carries that token.
    """

    __tablename__ = "orders"
    __table_args__ = (
        *_totals_add_up(),
        UniqueConstraint("api_key_id", "idempotency_key", postgresql_nulls_not_distinct=True),
        UniqueConstraint("quote_id"),
        CheckConstraint("(lease_token is null) = (lease_until is null)", name="lease_whole"),
        CheckConstraint(
            "(status = 'open' or status = 'needs_attention') = (next_step is not null)",
            name="open_orders_have_a_next_step",
        ),
        Index("ix_orders_wake_at", "wake_at", postgresql_where="wake_at is not null"),
        Index("ix_orders_account", "account_id", "number"),
        Index("ix_orders_not_ended", "status", "created_at", postgresql_where=NOT_ENDED),
        Index("ix_orders_ended_without", "status", "number", postgresql_where=_ENDED_WITHOUT),
        Index("ix_orders_naming_somebody", "number", postgresql_where=NAMES_SOMEBODY),
        # Without this one, each quote that is deleted costs a scan of all orders.
        Index("ix_orders_proposed_quote_id", "proposed_quote_id", postgresql_where="proposed_quote_id is not null"),
        {"postgresql_with": {"fillfactor": 70}},  # room for HOT updates: each step rewrites its order's row
    )

    id: Mapped[Key]
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True, start=1001), unique=True)
    """the number that people use for it"""
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contacts.id"))
    quote_id: Mapped[UUID] = mapped_column(ForeignKey("quotes.id"))
    language: Mapped[Language] = mapped_column(Listed(Language))
    api_key_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_keys.id"))
    idempotency_key: Mapped[str] = mapped_column(String(255))
    request_digest: Mapped[str] = mapped_column(String(64))

    status: Mapped[OrderStatus] = mapped_column(Listed(OrderStatus), default=OrderStatus.OPEN)
    reason: Mapped[str | None] = mapped_column(String(60))
    """why it waits or ended so: a stable code"""
    reason_facts: Mapped[dict[str, Any] | None]
    proposed_quote_id: Mapped[UUID | None] = mapped_column(ForeignKey("quotes.id"))
    """in awaiting_confirmation: the fresh quote the customer may accept"""
    revision: Mapped[int] = mapped_column(default=1)
    """incremented with each fresh quote that is accepted; part of the keys of whatever is done once per quote"""
    payment_kind: Mapped[PaymentKind | None] = mapped_column(Listed(PaymentKind))
    payment_due_at: Mapped[datetime | None]
    """when an invoice is to be paid"""
    vat_check_id: Mapped[UUID | None] = mapped_column(ForeignKey("vat_checks.id"))
    vat_provisional: Mapped[bool] = mapped_column(default=False)
    cancel_requested_at: Mapped[datetime | None]
    cancel_reason: Mapped[str | None] = mapped_column(String(40))
    """the `reason` to end with, once cancellation has been requested"""

    next_step: Mapped[Step | None] = mapped_column(Listed(Step))
    lease_token: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    """tries of `next_step` so far"""
    next_attempt_at: Mapped[datetime | None]
    wake_at: Mapped[datetime | None]
    """when the sweep checks the order, if nothing has happened to it by then and no worker holds it"""
    restarts: Mapped[int] = mapped_column(default=0)
    """how often the sweep restarted it since its last progress"""
    last_error: Mapped[str | None] = mapped_column(String(2000))

    created_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]

    lines: Mapped[list["OrderLine"]] = relationship(
        lazy="raise", order_by="OrderLine.position", cascade="all, delete-orphan"
    )


class OrderLine(PricedLine, Base):
    __tablename__ = "order_lines"

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscriptions.id"))
    """None until activation"""


class OrderedProduct(Base):
    """Claims an account's product for the one open order on it; released when that order ends."""

    __tablename__ = "ordered_products"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    product_code: Mapped[str] = mapped_column(String(60), primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)


class OrderStep(Base):
    """Neither read nor written any more: the timeline says how each step ended. Workers of earlier commits still write it, and may
    run beside ours while a rollout goes on; a later migration drops it."""

    __tablename__ = "order_steps"

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[Step] = mapped_column(Listed(Step), primary_key=True)
    attempts: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(60))
    updated_at: Mapped[datetime]


LETTER_REFUSED = "kind = 'letter.undeliverable'"
"""selects timeline entries, one per letter refused for good. Counted here, because an index on the letters' status would slow every letter"""


class OrderEvent(Base):
    """The order's timeline, append-only; what the status page, the event stream and operations read."""

    __tablename__ = "order_events"
    __table_args__ = (Index("ix_letters_refused", "id", postgresql_where=LETTER_REFUSED),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    at: Mapped[CreatedAt]
    kind: Mapped[str] = mapped_column(String(60))
    facts: Mapped[dict[str, Any]]


append_only(
    OrderEvent.__table__,
    because="the timeline of an order is only ever added to",
    instead="put it right by another entry",
)
