"""The old orders that new ones are measured beside are as Prorata writes them."""

from itertools import pairwise

import psycopg
import pytest

from benchmarks.scenarios import past
from tests.bench.databases import database_url
from tests.support.world import World, purchase

COPIES = 50

ORPHANS = """
SELECT format('SELECT count(*) FROM %s a WHERE (%s) IS NOT NULL AND NOT EXISTS (SELECT FROM %s b WHERE (%s) = (%s))',
    conrelid::regclass, string_agg(format('a.%I', child.attname), ', '), confrelid::regclass,
    string_agg(format('a.%I', child.attname), ', '), string_agg(format('b.%I', parent.attname), ', '))
FROM pg_constraint, unnest(conkey, confkey) AS pair (theirs, ours)
JOIN pg_attribute child ON child.attnum = theirs JOIN pg_attribute parent ON parent.attnum = ours
WHERE contype = 'f' AND child.attrelid = conrelid AND parent.attrelid = confrelid
GROUP BY pg_constraint.oid, conrelid, confrelid
"""


@pytest.fixture
def filled(world: World) -> World:
    """One order that went all the way, and its copies."""
    world.buy(world.customer(), purchase())
    past.fill(database_url(world), COPIES)
    return world


def test_every_old_order_is_a_customer_with_all_that_an_order_leaves(filled: World) -> None:
    with psycopg.connect(database_url(filled)) as there:
        for table in past.IDENTIFIED:
            ids = [row[0] for row in there.execute(f"SELECT id FROM {table}".encode())]
            assert (table, len(set(ids)), {each.version for each in ids}) == (table, COPIES + 1, {7})
        orphans = [query for (query,) in there.execute(ORPHANS) if there.execute(query.encode()).fetchone() != (0,)]
        events = there.execute("SELECT count(*) FROM order_events GROUP BY order_id").fetchall()
    assert orphans == []
    assert len(events) == COPIES + 1
    assert len(set(events)) == 1


def test_old_ids_and_times_agree_and_numbers_follow_each_other(filled: World) -> None:
    with psycopg.connect(database_url(filled)) as there:
        old = there.execute("SELECT id, created_at, number FROM orders ORDER BY number").fetchall()[1:]
        texts = there.execute(
            "SELECT count(*) FROM orders o JOIN invoices i ON i.order_id = o.id AND i.order_number = o.number::text"
            " AND i.cause = 'order:' || o.id || ':invoice'"
            " AND i.number = 'INV-' || i.year || '-' || lpad(i.sequence::text, 6, '0')"
        ).fetchone()
        gaps = there.execute("SELECT max(sequence) - count(*) FROM invoices GROUP BY series, year").fetchall()
    assert old == sorted(old)
    assert all(before[1] < after[1] for before, after in pairwise(old))
    assert texts == (COPIES + 1,)
    assert set(gaps) == {(0,)}


def test_a_new_order_goes_through_beside_them(filled: World) -> None:
    order = filled.buy(filled.customer(), purchase())
    with psycopg.connect(database_url(filled)) as there:
        last = there.execute("SELECT max(number) FROM orders").fetchone()
    assert (order.status, (order.number,)) == ("completed", last)
