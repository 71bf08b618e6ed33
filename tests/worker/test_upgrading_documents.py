"""Documents that were issued survive `prorata db downgrade` and the next `prorata db upgrade` as they were, or are not taken back."""

from typing import Any

from sqlalchemy import text

from tests.support.command import Command
from tests.support.database_catalogue import catalogue
from tests.support.world import World, change, purchase
from tests.worker.test_upgrading import at, head, of

OF_DOCUMENTS = text("""
    SELECT tgrelid::regclass::text FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE proname = 'refuse_change_of_issued' AND NOT tgisinternal GROUP BY 1 ORDER BY 1
""")


def with_a_credit(world: World) -> None:
    """Invoices on which every column that a later migration added says something."""
    ada = world.customer()
    world.buy(ada, purchase("desk", "team", seats=10))
    world.pass_time(days=15)
    world.change_account(ada, country="AT")
    world.buy(ada, change("desk", seats=20))


def documents(world: World) -> dict[str, list[dict[str, Any]]]:
    """Every column of every row of each table that is frozen."""
    with world.begin() as session:
        return {
            table: sorted(session.scalars(text(f"SELECT to_jsonb({table}) FROM {table}")), key=str)
            for table in session.scalars(OF_DOCUMENTS)
        }


def test_documents_are_what_they_were_after_all_migrations_were_taken_back_and_done_again(
    prorata: Command, world: World, world_database_url: str
) -> None:
    with_a_credit(world)
    issued, tables = documents(world), catalogue(world_database_url)
    assert list(issued) == ["invoice_lines", "invoices"]
    [credit] = [line for line in issued["invoice_lines"] if line["from_tax_country"]]
    assert (credit["from_tax_country"], credit["from_tax_treatment"]) == ("DE", "domestic")
    assert all(document["supplied_on"] for document in issued["invoices"])
    assert prorata("db", "downgrade", "0002", "--yes", **of(world_database_url)).status == 0
    assert prorata("db", "upgrade", **of(world_database_url)).status == 0
    assert documents(world) == issued
    assert catalogue(world_database_url) == tables


def test_a_database_with_documents_is_not_taken_back_to_before_there_were_any(
    prorata: Command, world: World, world_database_url: str
) -> None:
    world.buy(world.customer(), purchase("desk"))
    issued = documents(world)
    ended = prorata("db", "downgrade", "0001", "--yes", **of(world_database_url))
    assert (ended.status, ended.err) == (
        1,
        "Nothing was changed: there are invoices, which a database before 0002 has no tables for. "
        "Go back to 0002 at the earliest, or restore a backup that is older than the first invoice.\n",
    )
    assert (at(world_database_url), documents(world)) == (head(), issued)


def test_a_database_without_documents_is_taken_back_to_the_first_revision(
    prorata: Command, world_database_url: str
) -> None:
    assert prorata("db", "downgrade", "0001", "--yes", **of(world_database_url)).status == 0
    assert at(world_database_url) == "0001"
