"""A migration that Alembic writes (docs/changing.md, "Change a table") can be run as it is and taken back, and `make lint` finds nothing in it."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copy, copytree

import pytest
from alembic import command

from models import migrations
from models.accounts import Language
from tests.support.database_catalogue import catalogue

ROOT = Path(__file__).parents[2]
NEXT = f"{int(migrations.head()) + 1:04}"
*_, _LAST = Language
LAST = f'{_LAST.name} = "{_LAST.value}"'
"""of the languages, as the source lists it"""
MODELS = ROOT / "models"
BIN = Path(sys.executable).parent
DOCUMENT = (ROOT / "docs" / "changing.md").read_text()
IMPORTS = """
import enum
from sqlalchemy import ARRAY
from models.base import Currency, Key, Minor, Rate
"""
CHANGE = """
class Colour(enum.StrEnum):
    RED = "red"
    GREEN = "green"


class Badge(Base):
    __tablename__ = "badges"

    id: Mapped[Key]
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    colour: Mapped[Colour] = mapped_column(Listed(Colour))
    spoken: Mapped[Language] = mapped_column(Listed(Language))
    amount: Mapped[Minor]
    currency: Mapped[Currency]
    rate: Mapped[Rate]
    facts: Mapped[dict[str, Any]]
    names: Mapped[list[str]] = mapped_column(ARRAY(String(20)))
    created_at: Mapped[CreatedAt]


Order.colour = mapped_column(Listed(Colour), nullable=True)
Order.spoken = mapped_column(Listed(Language), nullable=True)
"""
"""a new list and one that is there, in a new table and in one that is there; and beside them each type that our columns have"""


@pytest.fixture
def run(tmp_path: Path, fresh_database_url: str) -> Callable[[str], None]:
    """Runs a command where the models have changed, and the database has not."""
    copytree(MODELS, tmp_path / "models")
    copy(ROOT / "pyproject.toml", tmp_path)
    orders, accounts = tmp_path / "models" / "orders.py", tmp_path / "models" / "accounts.py"
    orders.write_text(orders.read_text().replace('"""\n', f'"""\n{IMPORTS}', 1) + CHANGE)
    accounts.write_text(accounts.read_text().replace(LAST, f'{LAST}\n    XX = "xx"'))
    env = {"PYTHONPATH": str(tmp_path), "PRORATA_DATABASE_URL": fresh_database_url}

    def run(command: str) -> None:
        done = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def python(statement: str) -> str:
    return f'{sys.executable} -c "from models import migrations; {statement}"'


def test_what_alembic_writes_runs_makes_what_the_models_say_and_can_be_taken_back(
    run: Callable[[str], None], tmp_path: Path, fresh_database_url: str
) -> None:
    before = catalogue(fresh_database_url)
    (documented,) = re.findall(r"^(\.venv/bin/python -c .*?)\n```", DOCUMENT, re.MULTILINE | re.DOTALL)
    run("set -e\n" + documented.replace(".venv/bin", str(BIN)))
    [written] = (tmp_path / "models/migrations/versions").glob(f"{NEXT}_*.py")
    assert "models" not in written.read_text(), "it stays as it is when they change"
    upgrade, downgrade = written.read_text().split("def downgrade")
    assert f"'{_LAST}', 'xx')) NOT VALID" in upgrade, "what is listed already need not be looked at again"
    assert "NOT VALID" not in downgrade, "rows may have what is listed no longer"
    assert "please adjust" not in written.read_text()
    run(f"{BIN}/ruff check models/migrations && {BIN}/ruff format --check models/migrations")
    run(python("migrations.upgrade('$PRORATA_DATABASE_URL')"))
    run(python("from alembic import command; command.check(migrations.config('$PRORATA_DATABASE_URL'))"))
    domains = {row[:2]: row[6] for row in catalogue(fresh_database_url)["columns"]}
    assert (domains["badges", "colour"], domains["orders", "spoken"]) == ("colour", "language")
    run(python(f"migrations.downgrade('$PRORATA_DATABASE_URL', '{migrations.head()}')"))
    assert catalogue(fresh_database_url) == before


def test_nothing_is_written_where_nothing_has_changed(fresh_database_url: str) -> None:
    command.check(migrations.config(fresh_database_url))
