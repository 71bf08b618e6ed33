"""A million old orders in the tables: whatever grows with the past must not slow the present."""

import os

from benchmarks import servers
from benchmarks.contestants import PEERS
from benchmarks.scenarios.past import fill
from benchmarks.scenarios.scenario import Findings, Place, Scenario, compared, in_turns
from benchmarks.turn import started

OLD = int(os.environ.get("BENCH_OLD_ORDERS", "1000000"))

EMPTY, FULL = "empty tables", f"{OLD:,} old orders"


def run(place: Place, orders: int) -> Findings:
    """Two of everything, PostgreSQL and Redis too, so that bursts can take turns.

    The full tables are vacuumed and have statistics, as tables have that grew for years. The empty ones have none, as those of
    every new database and of all other benchmarks: the statistics of a single order would mislead PostgreSQL about the next hundreds.
    """
    with (
        servers.running(place.scratch / "others") as others,
        started(PEERS["prorata"], place.servers, place.scratch / "empty") as empty,
        started(PEERS["prorata"], others, place.scratch / "full") as full,
    ):
        full.warm_up(1)
        place.say(f"copying one order {OLD:,} times")
        fill(full.database_url, OLD)
        for it, where in ((empty, place.servers), (full, others)):
            where.execute("CHECKPOINT")  # now, not while we measure
            it.warm_up(40)
        seen = in_turns(place.say, {EMPTY: lambda: empty.rate(orders), FULL: lambda: full.rate(orders)})
    return compared(seen, of=FULL, over=EMPTY, called="with old orders over without")


SCENARIO = Scenario("Does a million old orders slow new ones?", 300, run)
