"""Upgrades or downgrades a database while others use it: waits for table locks in short tries, between which the others go on."""

from collections.abc import Callable

import tenacity
from sqlalchemy.exc import OperationalError

from models import migrations
from tasks.errors import behind_a_lock

PATIENCE = 900.0
"""seconds to try for"""
PAUSE = 3.0
"""seconds between two tries"""


def upgrade(database_url: str, revision: str = "head", *, say: Callable[[str], None]) -> None:
    """say: is told of each wait. Raises OperationalError after `PATIENCE`, and what migrations.upgrade refuses."""
    _run(migrations.upgrade, database_url, revision, say)


def downgrade(database_url: str, revision: str, *, say: Callable[[str], None]) -> None:
    """The same, the other way."""
    _run(migrations.downgrade, database_url, revision, say)


def _run(change: Callable[[str, str], None], database_url: str, revision: str, say: Callable[[str], None]) -> None:
    """A statement that waits for a lock on a whole table holds up all those behind it, so each try gives up soon."""
    waiting = tenacity.Retrying(
        retry=tenacity.retry_if_exception(behind_a_lock),
        wait=tenacity.wait_fixed(PAUSE),
        stop=tenacity.stop_after_delay(PATIENCE),
        before_sleep=lambda _: say("Others are using a table (a backup, or another upgrade?); trying again ..."),
        reraise=True,
    )
    try:
        waiting(change, database_url, revision)
    except (KeyboardInterrupt, OperationalError) as error:
        if isinstance(error, KeyboardInterrupt) or behind_a_lock(error):
            error.add_note("Each migration that was done stays done.")
        raise
