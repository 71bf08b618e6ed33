"""A queue needs to be named in `QUEUES` only: workers take it, the sweep looks into it, and a drill disarranges it."""

import json

from tasks.queues import QUEUE_NAMES, STEP_QUEUES
from tests.worker.test_app import output_of

ONE_MORE = """
import json
from pathlib import Path
from tasks import queues
source = Path(queues.__file__).read_text()
changed = source.replace("QUEUE_NAMES =", "QUEUES[Step.SEND_REFUND_NOTICE] = 'notices'\\nQUEUE_NAMES =", 1)
exec(changed, vars(queues))
from tasks import sweep
from worker import command_lines
from worker.drill.faults import messages
taken = {str(name): queues.split(",") for name, (queues, *_) in command_lines.WORKERS.items()}
looked_into = {queue: [str(step) for step in steps] for queue, steps in sweep._STEPS.items()}
print(json.dumps([taken, looked_into, messages.STEP_QUEUES]))
"""


def test_a_queue_that_is_added_is_known_wherever_queues_are() -> None:
    taken, looked_into, disarranged = json.loads(" ".join(output_of(ONE_MORE)))
    assert sorted(taken["all"]) == sorted([*QUEUE_NAMES, "notices"])
    assert sorted(taken["orders"] + taken["payments"] + taken["mail"]) == sorted(taken["all"])
    assert looked_into["notices"] == ["send_refund_notice"]
    assert sorted(disarranged) == sorted([*STEP_QUEUES, "notices"])
