"""Messages, outgoing and incoming: the outbox, emails sent, webhooks received, and the heartbeats of recurring tasks."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, String, func, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, CreatedAt, Listed
from models.states import LetterKind, LetterStatus, Step


class OutboxMessage(Base):
    """An outbox row: publish the order's chain from this step on. Committed with the change that calls for it, deleted once published."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    step: Mapped[Step] = mapped_column(Listed(Step))
    created_at: Mapped[CreatedAt]


class SentLetter(Base):
    """An email of an order, at most one of each kind. The text itself is not kept."""

    __tablename__ = "sent_letters"

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    kind: Mapped[LetterKind] = mapped_column(Listed(LetterKind), primary_key=True)
    message_id: Mapped[str] = mapped_column(String(200), unique=True)
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contacts.id"))
    status: Mapped[LetterStatus] = mapped_column(Listed(LetterStatus), default=LetterStatus.SENDING)
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[CreatedAt]
    sent_at: Mapped[datetime | None]


class WebhookReceived(Base):
    """A provider's notification as received, stored before it is processed, and only once per id."""

    __tablename__ = "webhooks_received"
    __table_args__ = (
        Index(
            "ix_webhooks_to_try",
            text("next_attempt_at NULLS FIRST"),
            "received_at",
            postgresql_where="handled_at is null",
        ),
        Index("ix_webhooks_handled", "handled_at", postgresql_where="handled_at is not null"),
    )

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    """the provider's event id"""
    type: Mapped[str] = mapped_column(String(100))
    charge_ref: Mapped[str | None] = mapped_column(String(255))
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[CreatedAt]
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    """how many tries to handle it have failed; it is retried with a growing delay until one succeeds"""
    next_attempt_at: Mapped[datetime | None]
    handled_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(200))


class Heartbeat(Base):
    """When a recurring task last ran; beat is alive as long as these are fresh."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime]


def record_heartbeat(session: Session, name: str) -> None:
    """Record that `name` has just run, by PostgreSQL's clock."""
    at = func.clock_timestamp()
    row = upsert(Heartbeat).values(name=name, at=at)
    session.execute(row.on_conflict_do_update(index_elements=["name"], set_={"at": at}))
