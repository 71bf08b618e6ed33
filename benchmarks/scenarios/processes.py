"""One worker process against two: what a second processor is worth."""

from benchmarks import turn
from benchmarks.contestants import prorata
from benchmarks.scenarios.scenario import Findings, Place, Scenario, rates
from benchmarks.turn import Size
from worker.commands.process import Worker, worker_command


def run(place: Place, orders: int) -> Findings:
    measured = {}
    for case, numbers in {"1 process": [1], "2 processes": [1, 2]}.items():
        place.say(case)
        lines = {f"worker-{number}": worker_command(Worker.ALL, number=number) for number in numbers}
        peer = prorata(workers=lines)
        measured[case] = turn.take(peer, place.servers, place.scratch / case, Size(orders, 5, 40)).rate
    return rates(measured, of="2 processes", over="1 process", called="2 processes over 1")


SCENARIO = Scenario("Is a second worker process worth a processor?", 300, run)
