"""Counts and times the requests of this process, for `/metrics`."""

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY = CollectorRegistry()
_requests = Counter("prorata_requests", "Requests", ("method", "route", "status"), registry=REGISTRY)
_seconds = Histogram("prorata_request_seconds", "Time to answer", ("method", "route"), registry=REGISTRY)


def count(method: str, route: str, status: int, seconds: float) -> None:
    _requests.labels(method, route, str(status)).inc()
    _seconds.labels(method, route).observe(seconds)
