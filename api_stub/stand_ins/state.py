"""A stand-in's memory: one SQLite file that survives a restart and a `kill -9`."""

import sqlite3
from pathlib import Path


def open_state(path: Path) -> sqlite3.Connection:
    """Open (and make) the file. Every statement commits by itself; once it returns, its effect outlives the process.

    It need not outlive the machine: the disk is not synced, so that a stand-in does not slow the database beside it.

    One process at a time, which locks the file; within it, one thread (the event loop's).
    """
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    connection.row_factory = sqlite3.Row
    # Most rows are new and large, such as a letter with its invoice: a write-ahead log would write them twice, and pages of the usual size
    # would split them into a dozen pieces. A rollback journal is short, and its file is kept from one statement to the next.
    connection.execute("PRAGMA page_size = 16384")
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = PERSIST")
    connection.execute("PRAGMA synchronous = OFF")
    return connection
