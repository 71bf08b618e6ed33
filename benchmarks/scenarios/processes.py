"""One worker process against two: where the processors are the limit, and where waiting for the bank is.

On two processors that PostgreSQL, the API and the stand-ins share, two workers cannot have twice the processor time of one. Whether
anything else holds them back, a lock or a common queue, shows where each order waits for its bank and threads are few.
"""

from contextlib import ExitStack

from benchmarks import servers
from benchmarks.contestants import prorata
from benchmarks.scenarios.scenario import Findings, Place, Scenario, compared, in_turns
from benchmarks.scenarios.slow_payments import LATENCY, bank_takes
from benchmarks.servers import Servers
from benchmarks.turn import Started, started
from worker.command_lines import WORKERS, Worker, worker_command

*_, USUAL = WORKERS[Worker.ALL]
"""threads"""
FEW = 3
"""threads: with banks this slow, orders wait for a thread long before anything waits for a processor"""


def run(place: Place, orders: int) -> Findings:
    found = Findings({}, {})
    with servers.running(place.scratch / "others") as others:
        for limit, (threads, seconds) in {"processors": (USUAL, 0.0), "bank": (FEW, LATENCY)}.items():
            each = _limited_by(limit, place, others, orders, threads=threads, seconds=seconds)
            found = Findings(found.rows | each.rows, found.ratios | each.ratios)
    return found


def _limited_by(limit: str, place: Place, others: Servers, orders: int, *, threads: int, seconds: float) -> Findings:
    """One worker on its PostgreSQL and Redis, two on others, so that bursts can take turns."""
    one, two = (f"{number} x {threads} threads, {limit}" for number in (1, 2))
    with ExitStack() as exits:
        stacks: dict[str, Started] = {}
        for number, (case, where) in enumerate({one: place.servers, two: others}.items(), 1):
            lines = {
                f"worker-{n}": worker_command(Worker.ALL, number=n, concurrency=threads) for n in range(1, number + 1)
            }
            stacks[case] = exits.enter_context(started(prorata(workers=lines), where, place.scratch / case))
            bank_takes(stacks[case], seconds=seconds)
            stacks[case].warm_up(40)
        seen = in_turns(place.say, {one: lambda: stacks[one].rate(orders), two: lambda: stacks[two].rate(orders)})
    return compared(seen, of=two, over=one, called=f"2 processes over 1 limited by {limit}")


SCENARIO = Scenario("Is a second worker process worth a processor?", 300, run)
