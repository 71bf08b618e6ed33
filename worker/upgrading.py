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
    _waiting(say)(migrations.upgrade, database_url, revision)


def downgrade(database_url: str, revision: str, *, say: Callable[[str], None]) -> None:
    """The same, the other way."""
    _waiting(say)(migrations.downgrade, database_url, revision)


def _waiting(say: Callable[[str], None]) -> tenacity.Retrying:
    """A statement that waits for a lock on a whole table holds up all those behind it, so each try gives up soon."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(behind_a_lock),
        wait=tenacity.wait_fixed(PAUSE),
        stop=tenacity.stop_after_delay(PATIENCE),
        before_sleep=lambda _: say("Others are using a table (a backup, or another upgrade?); trying again ..."),
        reraise=True,
    )
