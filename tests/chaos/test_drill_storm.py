"""The drill's storm in short: every kind of fault while orders are placed."""

from pathlib import Path

import pytest

from worker.drill import storm
from worker.drill.detour import proxies
from worker.drill.faults import FAULTS
from worker.drill.ground import ground

ORDERS = 100


@pytest.mark.timeout(1200)
def test_a_storm_of_every_kind_of_fault_loses_no_order_and_no_cent(tmp_path: Path) -> None:
    with proxies(tmp_path) as between, ground(tmp_path, detour=between.detour, say=print) as prepared:
        report = storm.run(prepared, between, orders=ORDERS, seed=20, seconds=30, progress=print)
    assert report.troubles == []
    assert report.audit.findings == []
    assert all(report.strikes[fault.name] for fault in FAULTS)
    assert len(report.placed) == ORDERS
