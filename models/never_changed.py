"""Tables whose rows are written once: the database itself refuses UPDATE, DELETE and TRUNCATE, whoever asks."""

from typing import cast

from sqlalchemy import DDL, FromClause, Table, event

_FUNCTION = """
CREATE FUNCTION refuse_change_of_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an issued document is never changed: % on % refused; correct it by another document', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$
"""


def never_changed(first: FromClause, *others: FromClause) -> None:
    """Create the triggers with the tables; `first` is the one created before the others, which refer to it."""
    tables = [cast("Table", table) for table in (first, *others)]
    _at(tables[0], "after_create", _FUNCTION)
    _at(tables[0], "after_drop", "DROP FUNCTION IF EXISTS refuse_change_of_issued()")
    for table in tables:
        _at(
            table,
            "after_create",
            f"CREATE TRIGGER {table.name}_are_frozen BEFORE UPDATE OR DELETE ON {table.name} FOR EACH ROW"
            " EXECUTE FUNCTION refuse_change_of_issued()",
        )
        _at(
            table,
            "after_create",
            f"CREATE TRIGGER {table.name}_are_kept BEFORE TRUNCATE ON {table.name} FOR EACH STATEMENT"
            " EXECUTE FUNCTION refuse_change_of_issued()",
        )


def _at(table: Table, moment: str, statement: str) -> None:
    event.listen(table, moment, DDL(statement.replace("%", "%%")))  # type: ignore[no-untyped-call]
