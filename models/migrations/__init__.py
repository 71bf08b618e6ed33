"""The database's history (Alembic): `upgrade` brings any older database to what the tables say."""

from collections.abc import Callable
from pathlib import Path

import tenacity
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import OperationalError

FOLDER = Path(__file__).parent
PATIENCE, PAUSE = 900, 3
"""seconds: how long to try for, and between two tries"""


def config(database_url: str) -> Config:
    """Alembic's configuration, made here rather than in a file: the address comes from the settings."""
    made = Config()
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    made.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    return made


def upgrade(database_url: str, revision: str = "head", *, say: Callable[[str], None] = lambda _: None) -> None:
    """Bring the database at `database_url` to `revision`; doing it again changes nothing.

    A table that others are using is waited for in short turns (`env.py`), between which orders go on: whoever asks for a table as a
    whole holds up everybody behind it. say: is told of each wait. Raises OperationalError after `PATIENCE`.
    """
    waiting = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_behind_a_lock),
        wait=tenacity.wait_fixed(PAUSE),
        stop=tenacity.stop_after_delay(PATIENCE),
        before_sleep=lambda _: say("Others are using a table (a backup, or another upgrade?); trying again ..."),
        reraise=True,
    )
    waiting(command.upgrade, config(database_url), revision)


def _behind_a_lock(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", None) == "55P03"
