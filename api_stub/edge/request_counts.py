"""Counts and times the requests of this process, for `/metrics`."""

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY = CollectorRegistry()
_requests = Counter("prorata_requests", "Requests", ("method", "route", "status"), registry=REGISTRY)
_seconds = Histogram("prorata_request_seconds", "Time to answer", ("method", "route"), registry=REGISTRY)

_requests.labels(
    "POST", "/v1/webhooks/stripe", "400"
)  # there from the start, at 0: Prometheus sees no rise in what begins at 1


def count(method: str, route: str, status: int, seconds: float) -> None:
    _requests.labels(method, route, str(status)).inc()
    _seconds.labels(method, route).observe(seconds)
