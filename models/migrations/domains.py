"""Lets Alembic, which knows neither `Listed` nor PostgreSQL's domains, write migrations for listed values."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from alembic.operations.ops import ExecuteSQLOp, MigrationScript
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from models.base import Listed
from models.tables import metadata

_THERE = text(
    "select typname, pg_get_constraintdef(pg_constraint.oid) from pg_type join pg_constraint on contypid = pg_type.oid"
)
_VALUE = re.compile(r"'([^']*)'")


def rendered(kind: str, item: Any, _: object) -> str | Literal[False]:
    """A column's type as written in a migration: only its name, because a migration must not change with the models."""
    if kind == "type" and isinstance(item, Listed):
        return f"postgresql.DOMAIN({item.name!r}, sa.String(40), create_type=False)"
    return False


def with_domains(context: MigrationContext, _: object, scripts: list[MigrationScript]) -> None:
    """Add statements that update the database's domains to the models, before the columns that need them."""
    if context.connection is None:
        return
    for script in scripts:
        if script.upgrade_ops is None or script.downgrade_ops is None:
            continue
        for before, after in _differences(context.connection):
            script.upgrade_ops.ops[:0] = map(ExecuteSQLOp, after)
            script.downgrade_ops.ops += map(ExecuteSQLOp, before)


def _differences(connection: Connection) -> Iterator[tuple[list[str], list[str]]]:
    """For each domain that differs: statements that restore the database's version, and those that make the models'."""
    there = {name: _VALUE.findall(constraint) for name, constraint in connection.execute(_THERE)}
    types = [column.type for table in metadata.tables.values() for column in table.columns]
    for name, kind in {each.name: each.kind for each in types if isinstance(each, Listed)}.items():
        listed = [member.value for member in kind]
        if name not in there:
            yield [f"DROP DOMAIN {name}"], [f"CREATE DOMAIN {name} AS varchar(40) {_constraint(name, listed)}"]
        elif set(listed) != set(there[name]):
            yield _listing(name, listed, there[name]), _listing(name, there[name], listed)


def _listing(domain: str, before: Sequence[str], values: Sequence[str]) -> list[str]:
    """Rows are only checked where a value is no longer listed: that reads every table with such a column, and nobody writes to these meanwhile."""
    unchecked = " NOT VALID" if set(before) <= set(values) else ""
    return [
        f"ALTER DOMAIN {domain} DROP CONSTRAINT ck_{domain}",
        f"ALTER DOMAIN {domain} ADD {_constraint(domain, values)}{unchecked}",
    ]


def _constraint(domain: str, values: Sequence[str]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"CONSTRAINT ck_{domain} CHECK (VALUE IN ({listed}))"
