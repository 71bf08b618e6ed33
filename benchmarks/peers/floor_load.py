"""The floors: what an order's six steps send to PostgreSQL, what they ask of the world outside, or both, and nothing else.

Each of two processes lets an order go through Prorata's own steps, and records its statements, by transaction, and its calls: the
charge, two letters and an invoice written, two letters sent. It then replays them for other orders, with their ids and keys in place
of the recorded ones: no Celery, no ORM, no step's own code, no lease; of retries and logs only the adapters' own; one Redis list
hands the orders out. What is left is what the database and the world are asked for today, by our adapters and in our statements.

One thread a process replays statements alone; where calls wait for an answer there are four threads, the fastest of 1, 2, 4 and 8 for
statements and calls together. Each charge's webhook is sent, and Prorata's API takes it as always. The clock starts before the
transaction that placed the orders is committed, as it does for Prorata; the outbox row that came with an order stays where it is.

One floor does both for eight waiting orders at a time: a transaction for all of them, each statement sent for all in one go, and their
calls one after the other. It shows what grouping orders could gain at most: no order of a group is held up or refused there.
"""

import json
from contextlib import ExitStack

import redis
from sqlalchemy import select, text

from benchmarks.customers import Customers, add_catalogue, place
from benchmarks.peers.environment import BROKER_URL, JOBS, PATIENCE, RECORDED, TO_RECORD, count_done
from models.orders import Order
from tasks.wiring import begin
from worker import app as application
from worker.wiring import plug_in_from_settings

PROCESSES = 2
"""each of which records its second order"""


class FloorLoad:
    def __init__(self) -> None:
        self.app = application.app
        plug_in_from_settings()
        with begin() as session:
            add_catalogue(session)
        self._customers = Customers()
        self._redis = redis.Redis.from_url(BROKER_URL, socket_timeout=None)  # as in floor.py
        self._prepared: list[str] = []
        self._waiting = ExitStack()
        self.prepare(2 * PROCESSES)
        self._waiting.close()
        self._redis.rpush(TO_RECORD, *self._prepared)
        for _ in range(PROCESSES):
            if self._redis.blpop([RECORDED], timeout=PATIENCE) is None:
                raise TimeoutError(f"no order recorded in {PATIENCE} s")
        self._prepared.clear()

    def prepare(self, orders: int) -> None:
        """Placed, but not committed before `send`: as Prorata's, so that both are timed from the same moment."""
        session = self._waiting.enter_context(begin())
        session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        for customer in self._customers.add(session, orders):
            order = session.scalars(select(Order).where(Order.id == place(session, customer))).one()
            ids = (order.id, order.account_id, order.contact_id, order.quote_id, customer.card_id)
            self._prepared.append(json.dumps([str(each) for each in ids]))

    def send(self, orders: int) -> None:
        self._waiting.close()
        self._redis.rpush(JOBS, *(self._prepared.pop(0) for _ in range(orders)))

    def done(self) -> int:
        return count_done()
