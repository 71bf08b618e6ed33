"""The floor: the very statements of one order's six steps, in their transactions, in plain psycopg.

One order goes through Prorata's own steps in this process, as in a worker, and what that sends to PostgreSQL is written down. Two
processes then say the same again for other orders, their ids and keys in place of the recorded ones: no Celery, no ORM, no Stripe,
no letters; one Redis list hands the orders out. What is left is what the database asks for.
"""

import json
import pickle

import psycopg
import redis
from sqlalchemy import select

from benchmarks.customers import Customers, add_catalogue, place
from benchmarks.peers.environment import BROKER_URL, JOBS, PLAIN_URL, RECORDING, UNLOGGED
from benchmarks.recording import Recording, record
from models.orders import Order
from models.states import FORWARD
from tasks import hand_over, pipeline
from tasks.wiring import begin
from worker import app as application
from worker.wiring import plug_in_from_settings, process_engine


class FloorLoad:
    def __init__(self) -> None:
        self.app = application.app
        plug_in_from_settings()
        with begin() as session:
            add_catalogue(session)
        self._customers = Customers()
        self._redis = redis.Redis.from_url(BROKER_URL)
        self._prepared: list[str] = []
        self._watching = psycopg.connect(PLAIN_URL, autocommit=True, options=UNLOGGED)
        RECORDING.write_bytes(pickle.dumps(self._record()))

    def _record(self) -> Recording:
        self.prepare(1)
        ids = json.loads(self._prepared.pop())
        hand_over.set_up(here=lambda _: True, show=lambda *_, **__: None)
        with record(process_engine()) as transactions:
            pipeline.TASKS[FORWARD[0]].apply((ids[0],), throw=True)
        return Recording(ids, transactions)

    def prepare(self, orders: int) -> None:
        for _ in range(orders):
            with begin() as session:
                (customer,) = self._customers.add(session, 1)
                order_id = place(session, customer)
                order = session.scalars(select(Order).where(Order.id == order_id)).one()
                ids = (order.id, order.account_id, order.contact_id, order.quote_id, customer.card_id)
                self._prepared.append(json.dumps([str(each) for each in ids]))

    def send(self, orders: int) -> None:
        for _ in range(orders):
            self._redis.rpush(JOBS, self._prepared.pop(0))

    def done(self) -> int:
        row = self._watching.execute("SELECT count(*) FROM orders WHERE finished_at IS NOT NULL").fetchone()
        return int(row[0]) if row else 0
