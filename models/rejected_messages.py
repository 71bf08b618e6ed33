"""Messages that no worker could process, kept for a person to look at."""

from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Identity, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Listed


class RejectedBecause(StrEnum):
    UNKNOWN_TASK = "unknown_task"
    """sent by another version, or by another application"""
    MALFORMED = "malformed"
    """its headers or body are not those of a task"""
    KILLED_ITS_WORKER = "killed_its_worker"
    """two workers died of it, so it was not given to a third. The sweep restarts its order, up to the usual limit"""


class RejectedMessage(Base):
    __tablename__ = "rejected_messages"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    because: Mapped[RejectedBecause] = mapped_column(Listed(RejectedBecause))
    queue: Mapped[str] = mapped_column(String(60))
    task: Mapped[str] = mapped_column(String(200))
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    """only its beginning if it is very long"""
    error: Mapped[str] = mapped_column(String(500))
    received_at: Mapped[CreatedAt]
