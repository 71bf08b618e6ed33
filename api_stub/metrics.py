"""What Prometheus reads: orders by status, what waits, how old, and the requests of this process."""

from collections.abc import Iterable

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.messages import Heartbeat, OutboxMessage, SentLetter, WebhookReceived
from models.orders import Order
from models.rejected_messages import RejectedMessage
from models.states import LetterStatus, OrderStatus
from tasks.wiring import begin

router = APIRouter(tags=["operations"])
_registry = CollectorRegistry()
_requests = Counter("prorata_requests", "Requests", ("method", "route", "status"), registry=_registry)
_seconds = Histogram("prorata_request_seconds", "Time to answer", ("method", "route"), registry=_registry)


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    _requests.labels(method, route, str(status)).inc()
    _seconds.labels(method, route).observe(seconds)


class _Books(Collector):
    """Asks the database at each scrape, for ages by its clock: every process gives the same numbers."""

    def collect(self) -> Iterable[Metric]:
        with begin() as session:
            yield _by_status(session)
            yield _gauge("prorata_outbox_backlog", "Messages that wait to be published", _count(session, OutboxMessage))
            yield _gauge("prorata_webhooks_waiting", "Notifications not acted on yet", _webhooks(session))
            yield _gauge("prorata_rejected_messages", "Broken messages kept", _count(session, RejectedMessage))
            yield _gauge("prorata_letters_undeliverable", "Emails refused for good", _undeliverable(session))
            yield _gauge("prorata_oldest_open_order_seconds", "Age of the oldest open order", _oldest(session))
            yield _heartbeats(session)

    def describe(self) -> Iterable[Metric]:
        return ()


_registry.register(_Books())


@router.get("/metrics", summary="Metrics, in Prometheus's text format", response_class=Response)
def metrics() -> Response:
    return Response(generate_latest(_registry), media_type=CONTENT_TYPE_LATEST)


def _by_status(session: Session) -> Metric:
    counts = {row[0]: row[1] for row in session.execute(select(Order.status, func.count()).group_by(Order.status))}
    family = GaugeMetricFamily("prorata_orders", "Orders by status", labels=["status"])
    for status in OrderStatus:
        family.add_metric([status.value], counts.get(status, 0))
    return family


def _count(session: Session, table: type[OutboxMessage | RejectedMessage]) -> float:
    return session.scalar(select(func.count()).select_from(table)) or 0


def _undeliverable(session: Session) -> float:
    refused = select(func.count()).select_from(SentLetter).where(SentLetter.status == LetterStatus.UNDELIVERABLE)
    return session.scalar(refused) or 0


def _webhooks(session: Session) -> float:
    waiting = select(func.count()).select_from(WebhookReceived).where(WebhookReceived.handled_at.is_(None))
    return session.scalar(waiting) or 0


def _oldest(session: Session) -> float:
    age = func.clock_timestamp() - func.min(Order.created_at)
    oldest = session.scalar(select(age).where(Order.status == OrderStatus.OPEN))
    return oldest.total_seconds() if oldest is not None else 0.0


def _heartbeats(session: Session) -> Metric:
    family = GaugeMetricFamily("prorata_heartbeat_age_seconds", "Since a recurring task last ran", labels=["task"])
    for name, age in session.execute(select(Heartbeat.name, func.clock_timestamp() - Heartbeat.at)):
        family.add_metric([name], age.total_seconds())
    return family


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)
