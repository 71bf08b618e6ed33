"""`prorata invoices paid`: the day it names is the one by which invoices are dated."""

from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from tests.invoices.documents import one
from tests.support.world import World, purchase
from worker.commands import invoices


@pytest.mark.parametrize(
    ("chosen", "status", "said"),
    [
        ([], 0, "INV-2026-000001: 119.00 EUR paid on 2026-12-01.\n"),
        (["--on", "2026-12-01"], 0, "INV-2026-000001: 119.00 EUR paid on 2026-12-01.\n"),
        (["--on", "2026-11-30"], 1, "INV-2026-000001 was issued on 2026-12-01: it cannot have been paid on 2026-11-30"),
        (["--on", "2026-12-02"], 1, "INV-2026-000001 was issued on 2026-12-01: it cannot have been paid on 2026-12-02"),
    ],
)
def test_in_the_first_hour_of_the_sellers_day_today_is_that_day(
    world: World, monkeypatch: pytest.MonkeyPatch, chosen: list[str], status: int, said: str
) -> None:
    monkeypatch.setattr(invoices, "plug_in_from_settings", lambda: None)
    world.policy(invoice_on_vat=True)
    world.time = datetime(2026, 11, 30, 23, tzinfo=UTC)  # midnight in Berlin
    eva = world.customer(card=None, vat_number="DE136695976")
    number = one(world, world.buy(eva, purchase()).id).number
    ended = CliRunner().invoke(invoices.invoices, ["paid", number.lower(), *chosen])
    assert ended.exit_code == status
    assert (ended.output or str(ended.exception)).startswith(said)
