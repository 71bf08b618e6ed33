"""A Dramatiq pipeline of six actors that do nothing: two processes of eight threads, its usual middleware, no results.

Dramatiq's own defaults on this machine; its log at its own level. The last actor pushes the order's id to a Redis list.
"""

from uuid import uuid4

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.peers.environment import BROKER_URL, STEPS, count_done, tell_done

broker = RedisBroker(url=BROKER_URL)
dramatiq.set_broker(broker)


def _nothing(order_id: str) -> str:
    """A step that does nothing but pass the id on, as pipelines do."""
    return order_id


ACTORS = [dramatiq.actor(_nothing, actor_name=step) for step in STEPS[:-1]]
LAST = dramatiq.actor(tell_done, actor_name=STEPS[-1])


class DramatiqLoad:
    def prepare(self, orders: int) -> None:
        """Nothing to prepare."""

    def send(self, orders: int) -> None:
        first, *others = ACTORS
        for _ in range(orders):
            messages = [first.message(str(uuid4())), *(actor.message() for actor in others), LAST.message()]
            dramatiq.pipeline(messages).run()

    def done(self) -> int:
        return count_done()
