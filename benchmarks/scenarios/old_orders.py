"""A million old orders in the tables: whatever grows with the past must not slow the present."""

import os

import psycopg

from benchmarks import servers
from benchmarks.contestants import PEERS
from benchmarks.scenarios.scenario import Findings, Place, Scenario, compared, in_turns
from benchmarks.servers import plain
from benchmarks.turn import started

OLD = int(os.environ.get("BENCH_OLD_ORDERS", "1000000"))

EMPTY, FULL = "empty tables", f"{OLD:,} old orders"

COPIED = ("quotes", "quote_lines", "orders", "order_lines", "order_events", "order_steps", "charge_attempts")
"""in this order; identity columns are left to the database"""


def run(place: Place, orders: int) -> Findings:
    """Two of everything, PostgreSQL and Redis too, so that bursts can take turns."""
    with (
        servers.running(place.scratch / "others") as others,
        started(PEERS["prorata"], place.servers, place.scratch / "empty") as empty,
        started(PEERS["prorata"], others, place.scratch / "full") as full,
    ):
        full.warm_up(1)
        place.say(f"copying one order {OLD:,} times")
        multiply(full.database_url, OLD)
        for it in (empty, full):
            it.warm_up(40)
        seen = in_turns(place.say, {EMPTY: lambda: empty.rate(orders), FULL: lambda: full.rate(orders)})
    return compared(seen, of=FULL, over=EMPTY, called="with old orders over without")


def multiply(url: str, number: int) -> None:
    """Copies of the one order there is, 40 days older, with random ids of their own."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # no foreign keys checked, no triggers
        connection.execute("SET synchronous_commit = off")
        copies = (
            f"SELECT gen_random_uuid() AS order_id, gen_random_uuid() AS quote_id FROM generate_series(1, {number:d})"
        )
        connection.execute(f"CREATE UNLOGGED TABLE copies AS {copies}".encode())
        for table in COPIED:
            connection.execute(_copy(connection, table).encode())
        connection.execute("DROP TABLE copies")
        connection.execute("VACUUM ANALYZE")  # now, not while we measure


def _copy(connection: psycopg.Connection, table: str) -> str:
    """INSERT ... SELECT of every row of `table` once for each copy."""
    columns = connection.execute(
        "SELECT column_name, is_identity FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position",
        [table],
    ).fetchall()
    kept = [str(name) for name, identity in columns if identity == "NO"]
    values = ", ".join(_value(table, name) for name in kept)
    return f"INSERT INTO {table} ({', '.join(kept)}) SELECT {values} FROM {table}, copies"


def _value(table: str, column: str) -> str:
    if column == "quote_id" or (table, column) == ("quotes", "id"):
        return "copies.quote_id"
    if column == "order_id" or (table, column) == ("orders", "id"):
        return "copies.order_id"
    if column in ("key", "idempotency_key"):
        return "'copy:' || copies.order_id"
    if (table, column) == ("charge_attempts", "ref"):
        return "'copy_' || copies.order_id"
    if column in ("created_at", "finished_at", "at", "updated_at"):
        return f"{table}.{column} - interval '40 days'"
    return f"{table}.{column}"


SCENARIO = Scenario("Does a million old orders slow new ones?", 300, run)
