"""Prorata with everything on: two workers for all queues, beat, relay, sweep and webhooks, API, events for Flower, letters and charges.

Each order is one purchase by card on an account of its own: a charge at the Stripe stand-in, a webhook about it, two letters
over SMTP. The stand-ins answer at once, keep their data in memory and are counted apart. Orders are placed beforehand, in a
transaction that is committed when they are sent: the chains place no orders either. DBOS, which records each workflow as it is sent,
does so within its burst. What placing costs is a scenario of its own.
"""

import os
from contextlib import ExitStack
from uuid import UUID

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from benchmarks.customers import Customers, add_catalogue, place
from benchmarks.peers.environment import UNLOGGED
from benchmarks.servers import plain
from benchmarks.under_way import UnderWay
from tasks.wiring import begin
from worker import app as application
from worker import relay
from worker.wiring import plug_in_from_settings


class ProrataLoad:
    def __init__(self) -> None:
        self.app = application.app
        plug_in_from_settings()
        with begin() as session:
            add_catalogue(session)
        self._customers = Customers()
        self._waiting = ExitStack()
        url = plain(
            os.environ["PRORATA_DATABASE_URL"]
        )  # read in this way by every version that is compared with this one
        self._under_way = self._look_after(psycopg.connect(url, autocommit=True, options=UNLOGGED))

    def _look_after(self, watching: psycopg.Connection) -> UnderWay:
        return UnderWay(watching)

    def prepare(self, orders: int) -> None:
        """Placed, but invisible to others until `send` commits."""
        session = self._waiting.enter_context(begin())
        session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        self._placed(session, [place(session, customer) for customer in self._customers.add(session, orders)])

    def _placed(self, session: Session, ids: list[UUID]) -> None:
        session.execute(
            text("UPDATE orders SET wake_at = clock_timestamp() + interval '8 seconds' WHERE id = ANY(:ids)"),
            {"ids": ids},
        )
        self._under_way.add(ids)

    def send(self, orders: int) -> None:
        """All that were prepared."""
        del orders
        self._waiting.close()
        relay.publish_pending()

    def done(self) -> int:
        return self._under_way.done()
