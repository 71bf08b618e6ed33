"""Beat's scheduler: Celery's own, in memory, but a task that the broker does not take is a line in the log, not a traceback.

Tasks are due every second: while Redis is full, the tracebacks would fill the disk, too.
"""

from typing import Any

import structlog
from celery import beat

log = structlog.get_logger(__name__)


class Scheduler(beat.Scheduler):  # type: ignore[misc]
    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send a task that is due. One that cannot be sent is lost, and sent again when it is due again."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except beat.SchedulingError as error:
            log.error("a recurring task cannot be sent", name=entry.name, error=str(error))
