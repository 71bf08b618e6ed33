"""What a process logs: one JSON object a line, and nothing that libraries tell of their own work."""

import json
import subprocess
import sys

FIRST_INVOICE = """
from worker.logs import set_up_logging
set_up_logging()
import structlog
from tasks.invoices import typeface
typeface.face("DejaVuSansCondensed-Bold").cut(["Rechnung"], first=1)
structlog.get_logger("worker").info("done")
"""


def test_making_a_subset_of_a_typeface_logs_nothing() -> None:
    """fontTools tells in 47 lines what it leaves out of each."""
    ended = subprocess.run([sys.executable, "-c", FIRST_INVOICE], capture_output=True, text=True, check=True)
    assert [json.loads(line)["event"] for line in ended.stderr.splitlines()] == ["done"]
