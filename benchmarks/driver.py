"""`python -m benchmarks.driver MODULE:LOAD`: sends orders to a peer and waits until they are done. Its commands, lines on standard input:

prepare N · burst N (seconds from the first sent to the last done) · alone N (seconds of each, one after the other).
Each line is answered by a line of JSON.
"""

import json
import os
import pkgutil
import sys
import time
from collections.abc import Callable

from benchmarks.failures import MeasurementFailed
from benchmarks.peer import Load, wait_for

ALONE_PAUSE = 0.001
"""seconds between two looks at one order, whose latency is to be known to the millisecond"""
BURST_PAUSE = 0.02
"""seconds between two looks at a burst, whose end need not be"""


class Driver:
    def __init__(self, load: Load) -> None:
        self._load = load
        self._sent = load.done()

    def prepare(self, orders: int) -> None:
        self._load.prepare(orders)

    def burst(self, orders: int) -> float:
        return self._through(orders, BURST_PAUSE)

    def alone(self, orders: int) -> list[float]:
        return [self._one() for _ in range(orders)]

    def _one(self) -> float:
        self._load.prepare(1)
        time.sleep(0.02)  # lets the work that the previous order left behind end
        return self._through(1, ALONE_PAUSE)

    def _through(self, orders: int, pause: float) -> float:
        began = time.perf_counter()
        self._load.send(orders)
        self._sent += orders
        wait_for(self._load.done, self._sent, pause=pause)
        return time.perf_counter() - began


def main() -> None:
    try:
        obey(answering())
    except (MeasurementFailed, TimeoutError) as error:
        raise SystemExit(str(error)) from error


def obey(say: Callable[[object], None]) -> None:
    driver = Driver(pkgutil.resolve_name(sys.argv[1])())
    commands: dict[str, Callable[[int], object]] = {
        "prepare": driver.prepare,
        "burst": driver.burst,
        "alone": driver.alone,
    }
    say("ready")
    for line in sys.stdin:
        name, number = line.split()
        say(commands[name](int(number)))


def answering() -> Callable[[object], None]:
    """Answers go to standard output; whatever else is printed (a step's log, say) to standard error."""
    line = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return lambda answer: print(json.dumps(answer), file=line)


if __name__ == "__main__":
    main()
