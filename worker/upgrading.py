"""Upgrades or downgrades a database while others use it: waits for table locks in short tries, between which the others go on."""

from collections.abc import Callable

import tenacity

from models import migrations
from tasks.errors import behind_a_lock

PATIENCE = 900.0
"""seconds to try for"""
PAUSE = 3.0
"""seconds between two tries"""


def upgrade(database_url: str, revision: str = "head", *, say: Callable[[str], None]) -> None:
    """say: is told of each wait. Raises OperationalError after `PATIENCE`, and what migrations.upgrade refuses."""
    _run(migrations.upgrade, database_url, revision, say, "Each migration that was done stays done.")


def downgrade(database_url: str, revision: str, *, say: Callable[[str], None]) -> None:
    """The same, the other way."""
    _run(migrations.downgrade, database_url, revision, say, "A downgrade is all or nothing.")


def _run(
    change: Callable[[str, str], None], database_url: str, revision: str, say: Callable[[str], None], kept: str
) -> None:
    """A statement that waits for a lock on a whole table holds up all those behind it, so each try gives up soon.

    kept: what any failure says of the migrations before it.
    """
    waiting = tenacity.Retrying(
        retry=tenacity.retry_if_exception(behind_a_lock),
        wait=tenacity.wait_fixed(PAUSE),
        stop=tenacity.stop_after_delay(PATIENCE),
        before_sleep=lambda _: say("Others are using a table (a backup, or another upgrade?); trying again ..."),
        reraise=True,
    )
    try:
        waiting(change, database_url, revision)
    except BaseException as error:
        error.add_note(kept)
        raise
