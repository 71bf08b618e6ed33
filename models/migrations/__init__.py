"""The database's history (Alembic): `upgrade` brings any older database to what the tables say."""

from pathlib import Path

from alembic import command
from alembic.config import Config

FOLDER = Path(__file__).parent


def config(database_url: str) -> Config:
    """Alembic's configuration, made here rather than in a file: the address comes from the settings."""
    made = Config()
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    made.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    return made


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database at `database_url` to `revision`, all or nothing; doing it again changes nothing.

    Raises OperationalError where others use a table for longer than it waits (`env.py`).
    """
    command.upgrade(config(database_url), revision)
