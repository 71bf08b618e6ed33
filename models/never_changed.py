"""Write-once data: triggers refuse UPDATE, DELETE and TRUNCATE of a table, or changes to a column, no matter which client asks."""

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
    """Freeze the tables of issued documents, by triggers created with them. `first` is created before the others, which refer to it."""
    _with_function(first, "refuse_change_of_issued", _ISSUED)
    for table in (first, *others):
        _freeze(table, "refuse_change_of_issued()")


def append_only(table: FromClause, *, because: str, instead: str) -> None:
    """Allow nothing but INSERT. The table must refer to one that `freeze_column` was called for, because it uses the function created there.

    because, instead: the beginning and the end of the error message; what was refused stands between them.
    """
    _freeze(table, f"refuse_change('{because}', '{instead}')")


def freeze_column(table: FromClause, column: str, *, trigger: str, because: str, instead: str) -> None:
    """Refuse changes to one column. The trigger does not fire on an UPDATE that does not name the column."""
    _with_function(table, "refuse_change", _ANY)
    _at(
        table,
        "after_create",
        f"CREATE TRIGGER {trigger} BEFORE UPDATE OF {column} ON {cast('Table', table).name} FOR EACH ROW"
        f" WHEN (OLD.{column} IS DISTINCT FROM NEW.{column}) EXECUTE FUNCTION refuse_change('{because}', '{instead}')",
    )


def _with_function(table: FromClause, name: str, definition: str) -> None:
    _at(table, "after_create", definition)
    _at(table, "after_drop", f"DROP FUNCTION IF EXISTS {name}()")


def _freeze(table: FromClause, function: str) -> None:
    name = cast("Table", table).name
    for are, refused, each in (("frozen", "UPDATE OR DELETE", "ROW"), ("kept", "TRUNCATE", "STATEMENT")):
        trigger = f"CREATE TRIGGER {name}_are_{are} BEFORE {refused} ON {name} FOR EACH {each}"
        _at(table, "after_create", f"{trigger} EXECUTE FUNCTION {function}")


def _at(table: FromClause, moment: str, statement: str) -> None:
    event.listen(table, moment, DDL(statement.replace("%", "%%")))  # type: ignore[no-untyped-call]
