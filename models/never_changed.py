"""What is written once: the database itself refuses UPDATE, DELETE and TRUNCATE, or a column's change, whoever asks."""

from typing import cast

from sqlalchemy import DDL, FromClause, Table, event

_ISSUED = """
CREATE FUNCTION refuse_change_of_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an issued document is never changed: % on % refused; correct it by another document', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$
"""
_ANY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: % on % refused; %', TG_ARGV[0], TG_OP, TG_TABLE_NAME, TG_ARGV[1]
        USING ERRCODE = 'restrict_violation';
END
$$
"""


def freeze_documents(first: FromClause, *others: FromClause) -> None:
    """Issued documents. Create the triggers with the tables; `first` is the one created before the others, which refer to it."""
    _with_function(first, "refuse_change_of_issued", _ISSUED)
    for table in (first, *others):
        _freeze(cast("Table", table), "refuse_change_of_issued()")


def append_only(table: FromClause, *, because: str, instead: str) -> None:
    """Rows are added, and nothing else. The table refers to one with a column frozen by `freeze_column`, whose function it uses.

    because, instead: what whoever tries reads, before and after what was refused.
    """
    _freeze(cast("Table", table), f"refuse_change('{because}', '{instead}')")


def freeze_column(table: FromClause, column: str, *, trigger: str, because: str, instead: str) -> None:
    """One column keeps what it was made with; an UPDATE that does not name the column is not looked at."""
    _with_function(table, "refuse_change", _ANY)
    _at(
        cast("Table", table),
        "after_create",
        f"CREATE TRIGGER {trigger} BEFORE UPDATE OF {column} ON {cast('Table', table).name} FOR EACH ROW"
        f" WHEN (OLD.{column} IS DISTINCT FROM NEW.{column}) EXECUTE FUNCTION refuse_change('{because}', '{instead}')",
    )


def _with_function(table: FromClause, name: str, definition: str) -> None:
    _at(cast("Table", table), "after_create", definition)
    _at(cast("Table", table), "after_drop", f"DROP FUNCTION IF EXISTS {name}()")


def _freeze(table: Table, function: str) -> None:
    _at(
        table,
        "after_create",
        f"CREATE TRIGGER {table.name}_are_frozen BEFORE UPDATE OR DELETE ON {table.name} FOR EACH ROW"
        f" EXECUTE FUNCTION {function}",
    )
    _at(
        table,
        "after_create",
        f"CREATE TRIGGER {table.name}_are_kept BEFORE TRUNCATE ON {table.name} FOR EACH STATEMENT"
        f" EXECUTE FUNCTION {function}",
    )


def _at(table: Table, moment: str, statement: str) -> None:
    event.listen(table, moment, DDL(statement.replace("%", "%%")))  # type: ignore[no-untyped-call]
