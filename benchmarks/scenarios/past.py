"""Fills the tables with what years of orders leave in them, as copies of one order that went through Prorata's own steps.

Each copy is a customer of its own: account, contact, card, quote, order with lines, timeline and charge, subscription with its
period, invoice, letters. Its ids, keys, numbers and times are its own, and ids begin with their time, as Prorata's do. Copies are a
minute apart, the newest 40 days old; so there are no webhooks, which are kept for 30 days. As in all benchmarks, accounts share one
customer of the payment provider. Times of day and amounts are the first order's, and nobody has bought twice.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg

from benchmarks.servers import plain

IDENTIFIED = (
    "accounts",
    "contacts",
    "payment_methods",
    "quotes",
    "orders",
    "subscriptions",
    "subscription_periods",
    "invoices",
)
"""tables with an id, of which the first order left one row each"""
OTHERS = (
    "quote_lines",
    "order_lines",
    "order_events",
    "charge_attempts",
    "invoice_lines",
    "sent_letters",
)

UUID7 = """
CREATE FUNCTION pg_temp.uuid7(at timestamptz) RETURNS uuid LANGUAGE sql VOLATILE AS $$
SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
    substring(int8send(floor(extract(epoch FROM at) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$
"""
"""a random id (version 4) whose first 48 bits are replaced by milliseconds, and its version by 7"""

NUMBERED = {
    ("orders", "number"): "orders.number + copies.n",
    ("orders", "idempotency_key"): "orders.idempotency_key || ':' || copies.n",
    ("charge_attempts", "ref"): "charge_attempts.ref || '_' || copies.n",
    ("invoices", "order_number"): "(invoices.order_number::bigint + copies.n)::text",
    ("invoices", "year"): "copies.year",
    ("invoices", "sequence"): "copies.sequence",
    ("invoices", "number"): "'INV-' || copies.year || '-' || lpad(copies.sequence::text, 6, '0')",
}


def fill(url: str, number: int) -> None:
    """Copies of the one order there is."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # no foreign keys checked, no triggers
        connection.execute("SET synchronous_commit = off")
        ids = {_only(connection, table): f"{table}_id" for table in IDENTIFIED}
        _list_copies(connection, list(ids.values()), number)
        for table in (*IDENTIFIED, *OTHERS):
            connection.execute(_copy(connection, table, ids).encode())
        connection.execute("DROP TABLE copies")
        _count_on(connection)
        connection.execute("VACUUM ANALYZE")


def _only(connection: psycopg.Connection, table: str) -> UUID:
    ((found,),) = connection.execute(f"SELECT id FROM {table}".encode()).fetchall()
    return UUID(str(found))


def _list_copies(connection: psycopg.Connection, ids: Sequence[str], number: int) -> None:
    """By `n`, the oldest first: how much older it is than the first order, its ids, and its invoice's year and number in it."""
    connection.execute(UUID7.encode())
    made = ", ".join(f"pg_temp.uuid7(now() - age) AS {name}" for name in ids)
    query = f"""
        CREATE UNLOGGED TABLE copies AS
        SELECT n, age, {made}, aged.year,
            row_number() OVER (PARTITION BY aged.year ORDER BY n) + (aged.year = invoices.year)::int AS sequence
        FROM invoices, generate_series(1, {number:d}) n,
            LATERAL (SELECT interval '40 days' + ({number:d} - n) * interval '1 minute' AS age) ages,
            LATERAL (SELECT extract(year FROM issued_on - age)::smallint AS year) aged
        ORDER BY n"""
    connection.execute(query.encode())
    connection.execute("ANALYZE copies")


def _copy(connection: psycopg.Connection, table: str, ids: Mapping[UUID, str]) -> str:
    """INSERT ... SELECT of every row of `table` once for each copy."""
    rows = connection.execute(f"SELECT * FROM {table}".encode())
    names = [column.name for column in rows.description or ()]
    seen = zip(names, zip(*rows.fetchall(), strict=True), strict=True)
    values = {name: _value(table, name, values, ids) for name, values in seen}
    if table == "order_events":
        del values["id"]  # an identity column without a meaning: left to the database
    selected = ", ".join(values.values())
    return f"INSERT INTO {table} ({', '.join(values)}) OVERRIDING SYSTEM VALUE SELECT {selected} FROM copies, {table}"


def _value(table: str, column: str, seen: Sequence[Any], ids: Mapping[UUID, str]) -> str:
    """What a copy has in place of the first order's value; `seen` is that value, in each of its rows."""
    if (table, column) in NUMBERED:
        return NUMBERED[table, column]
    own = f"{table}.{column}"
    first = next((each for each in seen if each is not None), None)
    if isinstance(first, UUID):
        return f"copies.{ids[first]}" if first in ids else own
    if isinstance(first, datetime):
        return f"{own} - copies.age"
    if isinstance(first, date):
        return f"({own} - copies.age)::date"
    if isinstance(first, str | dict):
        return _naming_its_own(own, json.dumps(seen, default=str), ids) + ("::jsonb" if isinstance(first, dict) else "")
    return own


def _naming_its_own(text: str, seen: str, ids: Mapping[UUID, str]) -> str:
    for each, name in ids.items():
        if str(each) in seen:
            text = f"replace({text}::text, '{each}', copies.{name}::text)"
        if each.hex in seen:
            text = f"replace({text}::text, '{each.hex}', replace(copies.{name}::text, '-', ''))"
    return text


def _count_on(connection: psycopg.Connection) -> None:
    """So that new orders and invoices get the numbers that come next."""
    connection.execute("SELECT setval(pg_get_serial_sequence('orders', 'number'), max(number)) FROM orders")
    connection.execute(
        "INSERT INTO invoice_series (series, year, last_sequence) SELECT series, year, max(sequence) FROM invoices GROUP BY 1, 2"
        " ON CONFLICT (series, year) DO UPDATE SET last_sequence = excluded.last_sequence"
    )
