"""One worker process against two: where the processors are the limit, and where waiting for the bank is.

On two processors that PostgreSQL, the API and the stand-ins share, two workers cannot have twice the processor time of one. That
nothing else holds them back, no lock and no common queue, shows where each order waits for its bank and threads are few.
"""

from functools import partial

from benchmarks import turn
from benchmarks.contestants import prorata
from benchmarks.scenarios.scenario import Findings, Place, Scenario
from benchmarks.scenarios.slow_payments import LATENCY, bank_takes
from benchmarks.turn import Size
from worker.commands.process import WORKERS, Worker, worker_command

*_, USUAL = WORKERS[Worker.ALL]
"""threads"""
FEW = 3
"""with banks that slow, orders wait for a thread long before anything waits for a processor"""


def run(place: Place, orders: int) -> Findings:
    rows, ratios = {}, {}
    for limit, (threads, seconds) in {"processors": (USUAL, 0.0), "bank": (FEW, LATENCY)}.items():
        measured = {}
        for number in (1, 2):
            case = f"{number} x {threads} threads, {limit}"
            place.say(case)
            lines = {
                f"worker-{n}": worker_command(Worker.ALL, number=n, concurrency=threads) for n in range(1, number + 1)
            }
            slower = partial(bank_takes, seconds=seconds)
            size = Size(orders, 5, 40)
            measured[number] = turn.take(
                prorata(workers=lines), place.servers, place.scratch / case, size, first=slower
            ).rate
            rows[case] = {"orders/s": measured[number]}
        ratios[f"2 processes over 1 limited by {limit}"] = measured[2] / measured[1]
    return Findings(rows, ratios)


SCENARIO = Scenario("Is a second worker process worth a processor?", 300, run)
