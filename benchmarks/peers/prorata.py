"""Prorata with everything on: three workers, beat, relay, sweep and webhooks, API, events for Flower, letters and charges.

Each order is one purchase by card on an account of its own: a charge at the Stripe stand-in, a webhook about it, two letters
over SMTP. The stand-ins answer at once, keep their data in memory and are counted apart. Orders are placed beforehand, in a
transaction that is committed when they are sent, because the others' orders come from nowhere too; what placing costs is a
scenario of its own.
"""

from contextlib import ExitStack

import psycopg
from sqlalchemy import text

from benchmarks.customers import Customers, add_catalogue, place
from benchmarks.peers.environment import UNLOGGED
from benchmarks.servers import plain
from tasks.wiring import begin
from worker import app as application
from worker import relay
from worker.settings import settings
from worker.wiring import plug_in_from_settings


class ProrataLoad:
    def __init__(self) -> None:
        self.app = application.app
        plug_in_from_settings()
        with begin() as session:
            add_catalogue(session)
        self._customers = Customers()
        self._waiting = ExitStack()
        url = plain(settings().database_url.get_secret_value())
        self._watching = psycopg.connect(url, autocommit=True, options=UNLOGGED)

    def prepare(self, orders: int) -> None:
        """Placed, but seen by nobody before `send`."""
        session = self._waiting.enter_context(begin())
        placed = [place(session, customer) for customer in self._customers.add(session, orders)]
        session.execute(
            text("UPDATE orders SET wake_at = clock_timestamp() + interval '8 seconds' WHERE id = ANY(:placed)"),
            {"placed": placed},
        )

    def send(self, orders: int) -> None:
        """All that were prepared."""
        del orders
        self._waiting.close()
        relay.publish_pending()

    def done(self) -> int:
        row = self._watching.execute("SELECT count(*) FROM orders WHERE status = 'completed'").fetchone()
        return int(row[0]) if row else 0
