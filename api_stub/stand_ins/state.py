"""A stand-in's memory: one SQLite file that survives a restart and a `kill -9`."""

import sqlite3
from pathlib import Path


def open_state(path: Path, schema: str) -> sqlite3.Connection:
    """Open (and make) the file. Every statement commits by itself, and outlives the process when it returns.

    Not the machine: the disk is not synced, so that a stand-in does not take its turns from the database beside it.

    One process at a time; within it, one thread (the event loop's).
    """
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    connection.row_factory = sqlite3.Row
    # A letter with its invoice fills a dozen of the usual pages, each of which is written twice; the log stays as long in bytes.
    connection.execute("PRAGMA page_size = 16384")
    connection.execute("PRAGMA wal_autocheckpoint = 250")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    connection.executescript(schema)
    return connection
