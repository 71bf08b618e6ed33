"""docs/operations.md names what there is: every status, every metric to alert on, and nothing that is not."""

import re
from pathlib import Path

import pytest

from models.states import OrderStatus
from tasks import retry_policy

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = (DOCS / "operations.md").read_text()
METRICS = (DOCS.parent / "api_stub" / "metrics.py").read_text()


def section(title: str) -> str:
    return DOCUMENT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("status", OrderStatus)
def test_every_status_is_explained(status: OrderStatus) -> None:
    assert re.search(rf"^\| `{status.value}` \|", section("Statuses"), re.MULTILINE)


def test_every_metric_of_the_books_is_explained_and_no_other() -> None:
    there_are = set(re.findall(r'"(prorata_\w+)"', METRICS)) - {"prorata_requests", "prorata_request_seconds"}
    assert set(re.findall(r"^\| `(prorata_\w+)", section("Alerts"), re.MULTILINE)) == there_are


def test_a_broker_hands_no_message_out_again_that_only_waits_for_its_retry() -> None:
    """The visibility timeout that the settings explain is longer than the longest wait of Celery's own."""
    longest = max(retry_policy.delay(9, asked=asked, spread=1.0).total_seconds() for asked in (None, 1e9))
    stated = re.search(r'"visibility_timeout": (\d+)', (DOCS.parent / "worker" / "celery_config.py").read_text())
    assert stated
    assert int(stated.group(1)) > 2 * longest
