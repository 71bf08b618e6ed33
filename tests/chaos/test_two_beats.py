"""Two beats at once: everything recurring happens twice as often, and no order notices."""

from pathlib import Path

import pytest

from models.states import OrderStatus
from tests.support.shopping import bought
from worker.command_lines import beat_command
from worker.drill import kinds
from worker.drill.audit import audit
from worker.drill.ground import ground

KINDS = [kind for kind in kinds.KINDS if not kind.subscriptions and kind.ends_as is OrderStatus.COMPLETED]


@pytest.mark.timeout(900)
def test_with_two_beats_every_order_goes_its_way_once(tmp_path: Path) -> None:
    with ground(tmp_path, say=print) as prepared:
        stack = prepared.stack
        stack.processes.start("another-beat", beat_command(), env=stack.variables)
        orders = bought(prepared, KINDS, named="beats")
        with prepared.begin() as session:
            found = audit(session, prepared.books(), prepared.mails())
        stack.check()
    assert [each.status for each in orders] == [OrderStatus.COMPLETED] * len(KINDS)
    assert len(KINDS) > 3
    assert found.findings == []
