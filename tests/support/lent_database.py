"""The database that one world after the other has, emptied in between. A new one each time took most of PostgreSQL's work in a test, and a third of ours."""

from typing import LiteralString

import psycopg
from psycopg import Connection, sql

from tests.support.engines import idle_connections
from worker.embedded import PostgresServer

_WORLDS = 100
"""how many have the same one: nothing vacuums what they leave behind"""
_BUT_FOR_ROWS: LiteralString = """
    SELECT (SELECT sum(xmin::text::bigint) + count(*) FROM pg_class WHERE oid >= 16384),
           (SELECT sum(xmin::text::bigint) + count(*) FROM pg_attribute WHERE attrelid >= 16384),
           (SELECT sum(xmin::text::bigint) + count(*) FROM pg_constraint WHERE oid >= 16384),
           (SELECT sum(xmin::text::bigint) + count(*) FROM pg_trigger),
           (SELECT sum(xmin::text::bigint) + count(*) FROM pg_proc WHERE oid >= 16384),
           (SELECT count(*) FROM pg_db_role_setting)
"""
"""another answer than before: something else than rows was changed"""
_CONNECTED: LiteralString = """
    SELECT pid, EXISTS (SELECT FROM pg_locks WHERE pg_locks.pid = activity.pid AND locktype = 'advisory')
    FROM pg_stat_activity AS activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_SEQUENCES: LiteralString = """
    SELECT format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value), last_value IS NOT NULL
    FROM pg_sequences
"""


class LentDatabase:
    """A copy of the template, and a copy again for each test that asks."""

    def __init__(self, server: PostgresServer, *, template: str, name: str) -> None:
        self._server = server
        self._template = template
        self._name = name
        self._copies = 0
        self._worlds = 0
        """how many have had this copy"""

    def lend(self) -> str:
        """Its URL."""
        if not self._worlds:
            self._copy()
        self._worlds += 1
        return self._url

    def take_back(self) -> None:
        if self._worlds == _WORLDS or not self._emptied():
            self.drop()

    def drop(self) -> None:
        if self._worlds:
            self._worlds = 0
            self._own.close()
            for connection in idle_connections.pop(self._url, []):
                connection.close()
            self._server.drop_database(self._database)

    def _copy(self) -> None:
        self._copies += 1
        self._database = f"{self._name}_{self._copies}"
        self._url = self._server.create_database(self._database, template=self._template)
        # A replica's session asks no foreign key and pulls no trigger.
        self._own = psycopg.connect(
            self._url.replace("+psycopg", ""), autocommit=True, options="-c session_replication_role=replica"
        )
        self._was = self._own.execute(_BUT_FOR_ROWS).fetchall()
        tables = [name for (name,) in self._own.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        self._stock = {name: rows for name in tables if (rows := _rows(self._own, name))}
        self._empty = sql.SQL("WITH {} SELECT {}").format(
            sql.SQL(", ").join(sql.SQL("{0} AS (DELETE FROM {0})").format(sql.Identifier(name)) for name in tables),
            sql.SQL(", ").join(
                sql.SQL("setval({}, {}, {})").format(*map(sql.Literal, at)) for at in self._own.execute(_SEQUENCES)
            ),
        )

    def _emptied(self) -> bool:
        """False where it takes more than that to have what the template has, or our connection was ended."""
        try:
            self._end_others()
            if self._own.execute(_BUT_FOR_ROWS, prepare=True).fetchall() != self._was:
                return False
            with self._own.transaction():
                self._own.execute(self._empty, prepare=True)
                for name, rows in self._stock.items():
                    with self._own.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(name))) as copy:
                        copy.write(rows)
        except psycopg.OperationalError:
            return False
        return True

    def _end_others(self) -> None:
        """Disconnect whoever is still there, but for what the next world may have."""
        connected: dict[int, bool] = dict(self._own.execute(_CONNECTED, prepare=True).fetchall())
        idle = idle_connections[self._url]
        idle[:] = [connection for connection in idle if connected.get(connection.info.backend_pid) is False]
        for pid in connected.keys() - {connection.info.backend_pid for connection in idle}:
            self._own.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def _rows(connection: Connection, table: str) -> bytes:
    with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
        return b"".join(map(bytes, copy))
