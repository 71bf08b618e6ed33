"""Prorata as its customers meet it: orders come in at the API, as many at once as there are connections, or so many a second."""

import json
import os
import subprocess
import sys
from urllib.parse import urlsplit

import psycopg

from benchmarks.customers import quote
from benchmarks.http_load import ANSWERS, CLOSED, OPEN, none_refused
from benchmarks.peers.environment import FOLDER
from benchmarks.peers.prorata import ProrataLoad
from benchmarks.under_way import UnderWay
from models.states import OrderStatus
from tasks.upstream import api_keys
from tasks.upstream.api_keys import Scope
from tasks.wiring import begin


class ApiLoad(ProrataLoad):
    """Quotes are asked for beforehand; what is sent is `POST /v1/orders`. Each account orders once."""

    loop = CLOSED

    def __init__(self) -> None:
        super().__init__()
        self._requests: list[str] = []
        self._keys = 0

    def _look_after(self, watching: psycopg.Connection) -> UnderWay:
        return UnderWay(watching, known_by="account_id")

    def prepare(self, orders: int) -> None:
        with begin() as session:
            customers = self._customers.add(session, orders)
        with begin() as session:
            self._keys += 1
            accounts = [customer.account_id for customer in customers]
            self._under_way.add(accounts)
            key = api_keys.issue(
                session, name=f"bench {self._keys}", scopes=list(Scope), account_ids=accounts, by="benchmark"
            ).key
            for customer in customers:
                quote_id = str(quote(session, customer).id)
                request = {
                    "path": "/v1/orders",
                    "headers": {"Authorization": f"Bearer {key}", "Idempotency-Key": quote_id},
                    "body": {"account_id": str(customer.account_id), "quote_id": quote_id},
                }
                self._requests.append(json.dumps(request))

    def send(self, orders: int) -> None:
        """Raises OrdersRefused if any was."""
        going, self._requests = self._requests[:orders], self._requests[orders:]
        address = urlsplit(os.environ["PRORATA_PUBLIC_URL"])
        command = [sys.executable, "-m", "benchmarks.http_load", str(address.hostname), str(address.port)]
        answered = subprocess.run(
            [*command, *self.loop], input="\n".join(going), text=True, check=True, stdout=subprocess.PIPE
        )
        (FOLDER / ANSWERS).write_text(answered.stdout)
        none_refused([json.loads(line) for line in answered.stdout.splitlines()])


class ArrivingLoad(ApiLoad):
    """The same orders, which come in at fixed moments, whether those before them are answered or not."""

    loop = OPEN


class PlacingOnly(ApiLoad):
    """Where no worker runs: an order is done once it is there."""

    def _look_after(self, watching: psycopg.Connection) -> UnderWay:
        return UnderWay(watching, known_by="account_id", at_work=(), ends=(OrderStatus.OPEN,))
