"""Counts and times the requests of this process, for `/metrics`."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from worker.webhook_endpoint import WEBHOOK_PATH

REGISTRY = CollectorRegistry()
_requests = Counter("prorata_requests", "Requests", ("method", "route", "status"), registry=REGISTRY)
_seconds = Histogram("prorata_request_seconds", "Time to answer", ("method", "route"), registry=REGISTRY)

_FROM_THE_START = (
    (WEBHOOK_PATH, "400"),
    *((route, status) for route in ("/v1/quotes", "/v1/orders") for status in ("500", "503")),
)
"""what rules of docs/alerts.yml wait for, at 0: Prometheus sees no rise in a series that begins at 1"""
for _route, _status in _FROM_THE_START:
    _requests.labels("POST", _route, _status)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
NO_ROUTE = "none"


def count(method: str, route: str, status: int, seconds: float) -> None:
    """A client without a key may send any method to any address: it must not be able to begin a series for each of them."""
    if method not in _METHODS:
        method = "other"
    if status == 405:
        route = NO_ROUTE
    _requests.labels(method, route, str(status)).inc()
    _seconds.labels(method, route).observe(seconds)
