"""One worker process for everything against two: what a second processor is worth."""

from benchmarks import turn
from benchmarks.contestants import prorata
from benchmarks.scenarios.scenario import Findings, Place, Scenario, rates
from benchmarks.turn import Size
from worker.commands.process import Pool, Worker, worker_command

QUEUES_OF_ALL, THREADS = "orders,payments,mail,upkeep", 16


def run(place: Place, orders: int) -> Findings:
    measured = {}
    for case, names in {"1 process": [Worker.ORDERS], "2 processes": [Worker.ORDERS, Worker.MAIL]}.items():
        place.say(f"{case}, {THREADS} threads each")
        lines = {
            f"worker-{name}": worker_command(name, queues=QUEUES_OF_ALL, pool=Pool.THREADS, concurrency=THREADS)
            for name in names
        }
        peer = prorata(workers=lines, chosen={"PRORATA_DATABASE_POOL_SIZE": str(THREADS)})
        measured[case] = turn.take(peer, place.servers, place.scratch / case, Size(orders, 5, 40)).rate
    return rates(measured, of="2 processes", over="1 process", called="2 processes over 1")


SCENARIO = Scenario("Is a second worker process worth a processor?", 300, run)
