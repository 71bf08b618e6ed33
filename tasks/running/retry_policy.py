"""How long to wait before a retry. Waits longer than Celery's few retries are stored in PostgreSQL and end with the sweep."""

import random
from datetime import timedelta

RETRIES = 4
"""Celery's retries of one delivery, after about 1, 4, 16 and 60 s. If the worker that holds a pending retry dies, the sweep takes over."""
AFTER_A_DEFECT = 2
"""tries that an unexpected error counts as: what is wrong with the code or the data is hardly right a second later"""
_LONGEST = 60.0


def delay(tries: int, *, asked: float | None) -> timedelta:
    """Wait before the try after `tries` failed ones: 1, 4, 16, 60 s, give or take a fifth so that a crowd does not come back at once.

    asked: seconds that the other side asked us to wait; the longer wait counts, up to a minute.
    """
    jitter = random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing
    seconds = min(4.0**tries, _LONGEST) * jitter
    return timedelta(seconds=max(seconds, min(asked or 0.0, _LONGEST)))


def restart_delay(restarts: int) -> timedelta:
    """How long the sweep leaves an order alone after its n-th restart: 8, 16, 32 ... s, at most 10 minutes."""
    return timedelta(seconds=min(8.0 * 2 ** min(restarts, 10), 600.0))


def event_delay(failures: int) -> timedelta:
    """How long a webhook that failed `failures` times before waits after failing again: 10, 20, 40 ... s, at most an hour."""
    return timedelta(seconds=min(10.0 * 2 ** min(failures, 10), 3600.0))
