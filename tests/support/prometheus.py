"""What Prometheus makes of a counter that it scrapes, for rules of docs/alerts.yml."""

from collections.abc import Callable, Iterable
from itertools import pairwise

SCRAPED_EVERY = 15.0
"""seconds"""

Sample = tuple[float, float]
"""when, and the counter's value then"""


def scraped(value: Callable[[float], float], *, until: float) -> list[Sample]:
    """The samples of a counter that has `value(at)` at the second `at`."""
    number = int(until // SCRAPED_EVERY)
    return [(n * SCRAPED_EVERY, value(n * SCRAPED_EVERY)) for n in range(number + 1)]


def increase(samples: Iterable[Sample], *, at: float, window: float) -> float | None:
    """As `increase(...[window])` at `at`: it extrapolates to the window's ends, so that one event counts for a little more than 1.

    None: there are fewer than two samples. Source: `extrapolatedRate` in Prometheus's promql/functions.go.
    """
    points = [(when, value) for when, value in samples if at - window <= when <= at]
    if len(points) < 2:
        return None
    (first_at, first), (last_at, last) = points[0], points[-1]
    rise = last - first + sum(before for (_, before), (_, after) in pairwise(points) if after < before)
    lasted = last_at - first_at
    between = lasted / (len(points) - 1)
    to_start, to_end = first_at - (at - window), at - last_at
    if rise > 0:
        to_start = min(to_start, lasted * first / rise)  # a counter was never below 0
    beyond = sum(gap if gap < between * 1.1 else between / 2 for gap in (to_start, to_end))
    return rise * (lasted + beyond) / lasted
