"""What Prometheus reads: orders that have not ended by status, what waits, how old, and the requests of this process."""

import math
from collections.abc import Iterable
from datetime import timedelta

import structlog
from fastapi import APIRouter, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import and_, func, or_, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api_stub import database_check
from api_stub.edge import request_counts
from api_stub.edge.head_requests import HeadRoute
from api_stub.problems.problem_types import refuses
from models.books_checks import BooksCheck, Compared
from models.invoices import OWED, Invoice, Receivable
from models.messages import Heartbeat, OutboxMessage, WebhookReceived
from models.orders import LETTER_REFUSED, NOT_ENDED, Order, OrderEvent
from models.payments import ChargeAttempt
from models.rejected_messages import RejectedMessage
from models.states import FINAL, AttemptStatus, OrderStatus
from models.support_cases import OPEN, SupportCase
from models.vat_follow_ups import VatFollowUp
from tasks.billing.receivables import due_on
from tasks.errors import database_said
from tasks.housekeeping import KEPT
from tasks.queues import QUEUE_NAMES
from tasks.wiring import begin, policy

log = structlog.get_logger(__name__)
router = APIRouter(tags=["operations"], route_class=HeadRoute)

_RECURRING = ("sweep", *(f"queue {name}" for name in QUEUE_NAMES))
"""heartbeats to expect: one that never came is infinitely old"""
_CLOCKS_DIFFER = timedelta(hours=26)
"""at most: from UTC+14 to UTC-12"""


class _Books(Collector):
    """Asks the database at each scrape, and computes ages by its clock, so that every process gives the same numbers.

    It reads no table that grows with the years: of those it counts only what an index holds. While this release cannot work with
    the database, only that is reported, beside this process's own metrics: heartbeats that age would blame workers and beat.
    """

    def __init__(self) -> None:
        self._timeline_refused = False

    def collect(self) -> Iterable[Metric]:
        told: list[Metric] = []
        try:
            with begin() as session:
                if database_check.is_behind(session):
                    log.warning("metrics without the database", advice=database_check.BEHIND)
                else:
                    database_check.require_writes(session)
                    told += _told_by(session)
        except SQLAlchemyError as error:
            log.warning("metrics without the database", error=type(error).__name__, **database_check.told(error))
            told.clear()
        is_up = "Whether the database answers, takes writes and is not older than this release"
        yield _gauge("prorata_database_up", is_up, bool(told))
        if told:
            yield from told
            yield from self._timeline()

    def _timeline(self) -> Iterable[Metric]:
        """In a transaction of its own, as some servers refuse the question, which must not cost all else; logged once, until it is answered."""
        try:
            with begin() as session:
                number = timeline(session)
        except SQLAlchemyError as error:
            if not self._timeline_refused:
                log.warning("metrics without PostgreSQL's timeline", error=database_said(error))
            self._timeline_refused = True
        else:
            self._timeline_refused = False
            yield _gauge("prorata_database_timeline", "PostgreSQL's timeline: another one after a promotion", number)

    def describe(self) -> Iterable[Metric]:
        return ()


request_counts.REGISTRY.register(_Books())


def _told_by(session: Session) -> Iterable[Metric]:
    yield from _orders(session)
    yield from _outbox(session)
    yield from _webhooks(session)
    yield from _charges(session)
    yield _gauge("prorata_rejected_messages", "Broken messages kept", _count(session, RejectedMessage))
    yield _gauge("prorata_letters_undeliverable", "Emails refused for good", _undeliverable(session))
    yield from _vat_follow_ups(session)
    yield _heartbeats(session)
    yield _gauge("prorata_invoices_overdue", "Amounts due by transfer that have not arrived in time", _overdue(session))
    yield from _support_cases(session)
    yield from _books_checks(session)


@router.get(
    "/metrics",
    summary="Metrics, in Prometheus's text format",
    response_class=Response,
    responses=refuses("internal-error") | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics() -> Response:
    return Response(generate_latest(request_counts.REGISTRY), media_type=CONTENT_TYPE_LATEST)


def _orders(session: Session) -> Iterable[Metric]:
    age = func.clock_timestamp() - func.min(Order.created_at)
    asked = select(Order.status, func.count(), age).where(text(NOT_ENDED)).group_by(Order.status)
    found = {status: (count, oldest.total_seconds()) for status, count, oldest in session.execute(asked)}
    family = GaugeMetricFamily("prorata_orders", "Orders that have not ended, by status", labels=["status"])
    for status in OrderStatus:
        if status not in FINAL:
            family.add_metric([status.value], found.get(status, (0, 0.0))[0])
    yield family
    _, oldest = found.get(OrderStatus.OPEN, (0, 0.0))
    yield _gauge("prorata_oldest_open_order_seconds", "Age of the oldest open order", oldest)


def timeline(session: Session) -> float:
    """The first to say so after a promotion is `pg_control_recovery`, minutes before the checkpoint. Any role may ask, unless that was revoked from PUBLIC; Aurora refuses it."""
    latest = text(
        "select greatest(timeline_id, min_recovery_end_timeline) from pg_control_checkpoint(), pg_control_recovery()"
    )
    number: int = session.scalars(latest).one()
    return number


def _count(session: Session, table: type[OutboxMessage | RejectedMessage]) -> float:
    return session.scalar(select(func.count()).select_from(table)) or 0


def _outbox(session: Session) -> Iterable[Metric]:
    """The oldest is the one of the lowest id: no index has their times."""
    age = select(func.clock_timestamp() - OutboxMessage.created_at).order_by(OutboxMessage.id).limit(1)
    yield _gauge("prorata_outbox_backlog", "Messages that wait to be published", _count(session, OutboxMessage))
    yield _gauge(
        "prorata_oldest_outbox_message_seconds", "Age of the oldest of these", _seconds_of(session.scalar(age))
    )


def _undeliverable(session: Session) -> float:
    return session.scalar(select(func.count()).select_from(OrderEvent).where(text(LETTER_REFUSED))) or 0


def _webhooks(session: Session) -> Iterable[Metric]:
    now, received, handled = func.clock_timestamp(), WebhookReceived.received_at, WebhookReceived.handled_at
    waiting = select(func.count(), now - func.min(received), now - func.max(received)).where(handled.is_(None))
    number, oldest, newest = session.execute(waiting).one()
    last_handled: timedelta | None = session.scalar(select(now - func.max(handled)).where(handled.is_not(None)))
    yield _gauge("prorata_webhooks_waiting", "Notifications not acted on yet", number)
    yield _gauge("prorata_oldest_waiting_webhook_seconds", "Age of the oldest of these", _seconds_of(oldest))
    since = min((_seconds_of(age) for age in (newest, last_handled) if age is not None), default=math.inf)
    yield _gauge("prorata_last_webhook_seconds", "Seconds since a notification last came, or was acted on", since)


def _seconds_of(age: timedelta | None) -> float:
    return age.total_seconds() if age is not None else 0.0


def _charges(session: Session) -> Iterable[Metric]:
    """Of the latest orders: their ids grow with time, and nothing else of a charge that does is in an index.

    A charge whose notification may have been deleted by housekeeping does not count: it would look as if none had come.
    """
    latest = select(ChargeAttempt.status, ChargeAttempt.created_at).order_by(ChargeAttempt.order_id.desc()).limit(100)
    charge = latest.subquery()
    recent = charge.c.created_at > func.clock_timestamp() - (KEPT - timedelta(days=1))
    taken = func.max(charge.c.created_at).filter(charge.c.status == AttemptStatus.SUCCEEDED, recent)
    declined = func.count().filter(charge.c.status == AttemptStatus.DECLINED)
    since, number = session.execute(select(func.clock_timestamp() - taken, declined)).one()
    seconds = since.total_seconds() if since is not None else math.inf
    yield _gauge("prorata_last_charge_seconds", "Seconds since the latest charge that succeeded began", seconds)
    yield _gauge("prorata_latest_charges_declined", "How many of the hundred latest charges were declined", number)


def _vat_follow_ups(session: Session) -> Iterable[Metric]:
    """An answer that is kept until a customer's bank decides a dispute counts as one."""
    now, unanswered = func.clock_timestamp(), and_(VatFollowUp.outcome.is_(None), VatFollowUp.vat_check_id.is_(None))
    asked = now - func.min(VatFollowUp.created_at).filter(unanswered)
    owed = now - func.min(VatFollowUp.settled_at).filter(VatFollowUp.letter_owed)
    waiting = select(asked, owed).where(or_(VatFollowUp.outcome.is_(None), VatFollowUp.letter_owed))
    question, letter = session.execute(waiting).one()
    is_question = "Age of the oldest question to the VAT registry without an answer"
    yield _gauge("prorata_oldest_vat_question_seconds", is_question, _seconds_of(question))
    is_letter = "Seconds since the oldest correction of VAT of which the customer has yet to be told"
    yield _gauge("prorata_oldest_vat_letter_seconds", is_letter, _seconds_of(letter))


def _heartbeats(session: Session) -> Metric:
    family = GaugeMetricFamily(
        "prorata_heartbeat_age_seconds", "Seconds since a recurring task last ran", labels=["task"]
    )
    ages = dict.fromkeys(_RECURRING, math.inf)
    for name, age in session.execute(select(Heartbeat.name, func.clock_timestamp() - Heartbeat.at)):
        ages[name] = age.total_seconds()
    for name, seconds in ages.items():
        family.add_metric([name], seconds)
    return family


def _overdue(session: Session) -> float:
    """As `prorata invoices open` says today: a document is overdue when the day that it prints is over, on the seller's clock.

    Which day that is matters, and is asked, only of those due around now: sums may stay open for years.
    """
    moment = session.execute(select(func.clock_timestamp())).scalar_one()
    since, until = moment - _CLOCKS_DIFFER - timedelta(days=1), moment + _CLOCKS_DIFFER
    long_ago = select(func.count()).select_from(Receivable).where(text(OWED), Receivable.due_at < since)
    around_now = (text(OWED), Receivable.due_at >= since, Receivable.due_at < until)
    asked = select(Receivable.due_at, Invoice.timezone).join(Invoice, Invoice.id == Receivable.invoice_id)
    today = policy().seller.day(moment)
    just_now = sum(due_on(due_at, timezone) < today for due_at, timezone in session.execute(asked.where(*around_now)))
    return (session.scalar(long_ago) or 0) + just_now


def _support_cases(session: Session) -> Iterable[Metric]:
    age = func.clock_timestamp() - func.min(SupportCase.created_at)
    number, oldest = session.execute(select(func.count(), age).where(OPEN)).one()
    yield _gauge("prorata_support_cases_open", "Cases that support has not answered yet", number)
    yield _gauge("prorata_oldest_open_support_case_seconds", "Age of the oldest of these", _seconds_of(oldest))


def _books_checks(session: Session) -> Iterable[Metric]:
    age = GaugeMetricFamily(
        "prorata_books_checked_seconds", "Seconds since the books were last checked", labels=["check"]
    )
    differences = GaugeMetricFamily("prorata_books_differences", "Differences found by that check", labels=["check"])
    asked = select(BooksCheck.name, func.clock_timestamp() - BooksCheck.at, BooksCheck.differences)
    found = {name: (since.total_seconds(), number) for name, since, number in session.execute(asked)}
    for name in Compared:
        since, number = found.get(name, (math.inf, 0))
        age.add_metric([name], since)
        differences.add_metric([name], number)
    yield age
    yield differences


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)
