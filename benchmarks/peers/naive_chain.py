"""The durable chain as most would write it first: each Celery task loads the order, does its step, saves, commits.

One ORM transaction a step (read the row, change it, add a line to its history), messages acknowledged late so that a killed
worker's come back. No leases, no outbox, no keys: it still loses and repeats things, and does no work beside its own rows.
Prefork -c 2 as the bare chain, SQLAlchemy's own pool, no results, no events.
"""

from datetime import datetime
from uuid import UUID, uuid4

import psycopg
from celery import Celery, Task, chain, signals
from sqlalchemy import ForeignKey, create_engine, func
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.peers.environment import BROKER_URL, DATABASE_URL, PLAIN_URL, STEPS, UNLOGGED, say_ready

DONE = "completed"

app = Celery("naive", broker=BROKER_URL, set_as_current=False)
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)
signals.worker_ready.connect(say_ready)
engine = create_engine(DATABASE_URL)  # connects when first used: in each child its own


class Base(DeclarativeBase):
    pass


class NaiveOrder(Base):
    __tablename__ = "naive_orders"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(index=True)
    total_minor: Mapped[int]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class NaiveEvent(Base):
    __tablename__ = "naive_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("naive_orders.id"), index=True)
    kind: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


def _step(name: str, before: str, after: str) -> Task:
    def run(order_id: str) -> None:
        with Session(engine) as session, session.begin():
            order = session.get_one(NaiveOrder, UUID(order_id))
            if order.status == before:
                order.status = after
                session.add(NaiveEvent(order_id=order.id, kind=name))

    task: Task = app.task(name=f"naive.{name}")(run)
    return task


TASKS = [_step(*each) for each in zip(STEPS, ("new", *STEPS[:-1]), (*STEPS[:-1], DONE), strict=True)]


class NaiveLoad:
    def __init__(self) -> None:
        Base.metadata.create_all(engine)
        self._prepared: list[UUID] = []
        self._watching = psycopg.connect(PLAIN_URL, autocommit=True, options=UNLOGGED)

    def prepare(self, orders: int) -> None:
        fresh = [uuid4() for _ in range(orders)]
        with Session(engine) as session, session.begin():
            session.add_all(NaiveOrder(id=order, status="new", total_minor=119_00) for order in fresh)
        self._prepared += fresh

    def send(self, orders: int) -> None:
        for _ in range(orders):
            order_id = str(self._prepared.pop(0))
            chain(*(task.si(order_id) for task in TASKS)).apply_async()

    def done(self) -> int:
        row = self._watching.execute("SELECT count(*) FROM naive_orders WHERE status = %s", [DONE]).fetchone()
        return int(row[0]) if row else 0
