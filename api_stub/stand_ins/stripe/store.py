"""Everything the stand-in knows, in one SQLite file that survives `kill -9`: WAL, one writer.

What was committed is in the operating system's hands, so it outlives the process; syncing the disk would only help if the
machine died, and would take disk time from the database under test beside it.

The event loop's own thread does the writing: handing it to another thread and back takes as long as the writing itself.

What arrives together is committed together: each operation runs in a savepoint of its own, the answers leave after the
one COMMIT. An effect and the idempotency record that answers for it are therefore kept together or not at all.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from api_stub.stand_ins.stripe.ledger import Ledger

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, created INTEGER NOT NULL,
    customer TEXT, payment_intent TEXT, charge TEXT, type TEXT, token TEXT, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_by_customer ON objects (kind, customer, seq) WHERE customer IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_by_payment_intent ON objects (kind, payment_intent, seq) WHERE payment_intent IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, seq);
CREATE TABLE IF NOT EXISTS idempotency_keys (
    scope TEXT NOT NULL, key TEXT NOT NULL, created REAL NOT NULL, path TEXT NOT NULL, fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL, headers TEXT NOT NULL, body TEXT NOT NULL, request_id TEXT NOT NULL, PRIMARY KEY (scope, key));
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL,
    delivered REAL, last_error TEXT);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (delivered, due);
CREATE TABLE IF NOT EXISTS later (seq INTEGER PRIMARY KEY AUTOINCREMENT, due REAL NOT NULL, what TEXT NOT NULL, id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

T = TypeVar("T")
Operation = Callable[[Ledger], Any]
_Asked = tuple[Operation, "asyncio.Future[Any]"]


class Store:
    def __init__(self, path: Path) -> None:
        self._connection = _connect(path)  # a file that cannot be used fails here, at start
        self._ledger = Ledger(self._connection)
        self._asked: list[_Asked] = []

    async def run(self, operation: Callable[[Ledger], T]) -> T:
        """Run in a transaction; returns once it is committed. What the operation raises is raised here and undone there."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if not self._asked:
            loop.call_soon(self._commit)  # operations asked for by then join the batch
        self._asked.append((operation, future))
        return await future

    @property
    def next_due(self) -> float:
        """When the first delivery or other deferred action may be due, as `time.time()` counts; infinity: none is waiting."""
        return self._ledger.next_due

    def close(self) -> None:
        self._connection.close()

    def _commit(self) -> None:
        batch, self._asked = self._asked, []
        connection, ledger = self._connection, self._ledger
        try:
            connection.execute("BEGIN IMMEDIATE")
            outcomes = [_attempt(ledger, operation) for operation, _ in batch]
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it was, each waiting request must hear of it
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            ledger.undone()
            outcomes = [(None, error)] * len(batch)
        for (_, future), (result, failure) in zip(batch, outcomes, strict=True):
            _settle(future, result, failure)


def _connect(path: Path) -> sqlite3.Connection:
    """May be made in another thread than the one whose event loop uses it."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA temp_store = MEMORY")  # larger batches kept their savepoints in a file
    connection.executescript(SCHEMA)
    return connection


def _attempt(ledger: Ledger, operation: Operation) -> tuple[Any, Exception | None]:
    try:
        with ledger.savepoint("operation"):
            return operation(ledger), None
    except Exception as error:  # noqa: BLE001 - raised again where the operation was asked for
        return None, error


def _settle(future: "asyncio.Future[Any]", result: Any, failure: Exception | None) -> None:
    if future.cancelled():
        return
    if failure is None:
        future.set_result(result)
    else:
        future.set_exception(failure)
