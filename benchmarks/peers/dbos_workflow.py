"""DBOS: the same six steps as one durable workflow; each step does nothing, and DBOS writes down that it has.

Set up as its documentation says for a queue worker: two processes with an executor id each, one queue, thirty-two workflows at
once in each. It polls for work every 50 ms instead of every second, which improves its latency more than it costs throughput.
Messages below warnings are not logged, OpenTelemetry is off. Workflows are enqueued by its own client.
"""

import os
import threading
from uuid import uuid4

import psycopg
from dbos import DBOS, DBOSClient, DBOSConfig

from benchmarks.peers.environment import PLAIN_URL, STEPS, UNLOGGED, say_ready

QUEUE, WORKFLOW, VERSION, NAME = "orders", "dbos_order", "bench", "bench"
AT_ONCE = 32
LOOKS_EVERY = 0.05


def _step(name: str) -> None:
    """A step that does nothing."""


STEP = {name: DBOS.step(name=name)(lambda name=name: _step(name)) for name in STEPS}


@DBOS.workflow(name=WORKFLOW)
def dbos_order(order_id: str) -> str:
    for name in STEPS:
        STEP[name]()
    return order_id


class DbosLoad:
    def __init__(self) -> None:
        self._client = DBOSClient(system_database_url=PLAIN_URL, application_name=NAME)
        self._watching = psycopg.connect(PLAIN_URL, autocommit=True, options=UNLOGGED)

    def prepare(self, orders: int) -> None:
        """Nothing to prepare."""

    def send(self, orders: int) -> None:
        for _ in range(orders):
            self._client.enqueue({"workflow_name": WORKFLOW, "queue_name": QUEUE, "app_version": VERSION}, str(uuid4()))

    def done(self) -> int:
        query = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS' AND name = %s"
        row = self._watching.execute(query, [WORKFLOW]).fetchone()
        return int(row[0]) if row else 0


def main() -> None:
    config: DBOSConfig = {
        "name": NAME,
        "system_database_url": PLAIN_URL,
        "executor_id": f"worker-{os.environ['BENCH_NUMBER']}",
        "application_version": VERSION,
        "log_level": "WARNING",
    }
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(
        QUEUE, worker_concurrency=AT_ONCE, polling_interval_sec=LOOKS_EVERY, on_conflict="always_update"
    )
    say_ready()
    threading.Event().wait()


if __name__ == "__main__":
    main()
