"""A bare Celery chain of six tasks that do nothing, prefork -c 2: what Celery itself costs, with no promise kept.

Set up to Celery's advantage as far as a prefork pool allows (two solo processes are half as fast again): no results, no events,
messages acknowledged before they are worked on, Celery's own prefetch, warnings only in its log. Without events Flower shows none of its tasks; the contestant `watched_chain` is the same chain with them
(`--events`), as Prorata's workers send them. The last task pushes the order's id to a Redis list, so that somebody can see the end.
"""

from uuid import uuid4

from celery import Celery, Task, chain, signals

from benchmarks.peers.environment import BROKER_URL, STEPS, count_done, say_ready, tell_done

app = Celery("bare", broker=BROKER_URL, set_as_current=False)
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)

signals.worker_ready.connect(say_ready)


def _nothing(order_id: str) -> None:
    """A step that does nothing."""


TASKS: list[Task] = [app.task(name=f"bare.{step}")(_nothing) for step in STEPS[:-1]]
TASKS.append(app.task(name=f"bare.{STEPS[-1]}")(tell_done))


class BareLoad:
    def prepare(self, orders: int) -> None:
        """Nothing to prepare."""

    def send(self, orders: int) -> None:
        for _ in range(orders):
            order_id = str(uuid4())
            chain(*(task.si(order_id) for task in TASKS)).apply_async()

    def done(self) -> int:
        return count_done()
