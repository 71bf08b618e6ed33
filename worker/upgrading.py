"""A database is upgraded while others use it: waited for in short turns, between which they go on."""

from collections.abc import Callable

import tenacity
from sqlalchemy.exc import OperationalError

from models import migrations
from tasks.errors import behind_a_lock

PATIENCE, PAUSE = 900.0, 3.0
"""seconds: how long to try for, and between two tries"""


def upgrade(database_url: str, revision: str = "head", *, say: Callable[[str], None]) -> None:
    """Whoever asks for a table as a whole holds up everybody behind it, so each try gives up soon.

    say: is told of each wait. Raises OperationalError after `PATIENCE`.
    """
    waiting = tenacity.Retrying(
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, OperationalError) and behind_a_lock(error)),
        wait=tenacity.wait_fixed(PAUSE),
        stop=tenacity.stop_after_delay(PATIENCE),
        before_sleep=lambda _: say("Others are using a table (a backup, or another upgrade?); trying again ..."),
        reraise=True,
    )
    waiting(migrations.upgrade, database_url, revision)
