"""docs/alerts.yml asks for what /metrics prints, and nothing else; rules that reckon with counters fire when they must."""

import re
import subprocess
import sys
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import text

from tests.api.conftest import Api
from tests.support import world as worlds
from tests.support.prometheus import increase, scraped
from tests.support.world import Customer, World

GROUPS = yaml.safe_load((Path(__file__).parents[2] / "docs" / "alerts.yml").read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_series_that_are_printed(rule: dict[str, Any], api: Api) -> None:
    printed = api.get("/metrics").text.splitlines()
    selectors = re.findall(r"(prorata_\w+)(?:\{(.*?)\})?", rule["expr"])
    assert selectors or "up{" in rule["expr"]
    for name, labels in selectors:
        wanted = [
            f'{label}="{value if is_pattern else re.escape(value)}"'
            for label, is_pattern, value in re.findall(r'(\w+)=(~?)"(.*?)"', labels)
        ]
        series = [line for line in printed if re.match(rf"{name}[ {{]", line)]
        assert [line for line in series if all(re.search(each, line) for each in wanted)], rule["expr"]


def test_rules_have_names_of_their_own() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def seconds(duration: str) -> float:
    """Of `2h`, as rules write it."""
    return float(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


def expression(alert: str, pattern: str) -> tuple[str, ...]:
    """What `pattern` finds in that rule's expression. The rule has to fire as soon as its expression holds."""
    [rule] = [each for each in RULES if each["alert"] == alert]
    assert "for" not in rule
    found = re.fullmatch(pattern, rule["expr"])
    assert found, rule["expr"]
    return found.groups()


WEBHOOKS_REFUSED = r'prorata_requests_total\{route="/v1/webhooks/stripe",status="400"\}'


@pytest.mark.parametrize(
    ("refused_at", "fires_at"),
    [
        ([3600], None),
        ([3600, 3615], 3615),
        ([1200 * n for n in range(1, 13)], 2400),
        ([3600, 3600 + 7100], 3600 + 7110),
        ([3600, 3600 + 7300], None),
    ],
    ids=["once", "twice at once", "every twenty minutes", "twice within two hours", "once in two hours"],
)
def test_refused_notifications_are_told_of_by_the_second_one(refused_at: list[int], fires_at: int | None) -> None:
    window, threshold = expression(
        "ProrataWebhooksRefused", rf"sum\(increase\({WEBHOOKS_REFUSED}\[(\w+)\]\)\) > ([\d.]+)"
    )
    samples = scraped(lambda at: sum(each <= at for each in refused_at), until=5 * 3600)
    rose = ((at, increase(samples, at=at, window=seconds(window)) or 0) for at, _ in samples)
    assert next((at for at, by in rose if by > float(threshold)), None) == fires_at


def test_the_first_refused_notification_counts_because_its_series_begins_at_zero() -> None:
    """What begins at 1 has not risen."""
    assert value_at_the_start("/v1/webhooks/stripe", "400") == "0.0"


def value_at_the_start(route: str, status: str) -> str:
    """Of the count of such POSTs, in a process of its own."""
    labels = {"method": "POST", "route": route, "status": status}
    asked = f"from api_stub.edge.request_counts import REGISTRY as it; print(it.get_sample_value('prorata_requests_total', {labels}))"
    return subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()


def test_the_first_failed_quotes_and_orders_count_likewise() -> None:
    assert {
        value_at_the_start(route, status) for route in ("/v1/quotes", "/v1/orders") for status in ("500", "503")
    } == {"0.0"}


@pytest.mark.parametrize(
    ("timelines", "fires"),
    [
        ([[1, 1]], False),
        ([[1, 2]], True),
        ([[2, 1]], True),
        ([[1, 1], [2, 2]], True),
        ([[2], [2, 2]], False),
    ],
    ids=["as before", "promoted", "back again", "instances replaced, too", "only instances replaced"],
)
def test_another_timeline_is_told_of_whichever_process_sees_it(timelines: list[list[int]], fires: bool) -> None:
    """timelines: what each process told within the window."""
    of = r"prorata_database_timeline\[6h\]"
    expression("ProrataDatabasePromoted", rf"max\(max_over_time\({of}\)\) > min\(min_over_time\({of}\)\)")
    assert (max(map(max, timelines)) > min(map(min, timelines))) is fires


@pytest.mark.parametrize(
    ("failed_at", "fires_at"),
    [
        ([3610], None),
        (range(3610, 3910), None),
        (range(3610, 4 * 3600), 4500),
        ([1200 * n + 10 for n in range(1, 13)], 3900),
        ([1800 * n + 10 for n in range(1, 9)], None),
    ],
    ids=["once", "five minutes long", "always", "every twenty minutes", "twice an hour"],
)
def test_requests_that_fail_again_and_again_are_told_of(failed_at: Sequence[int], fires_at: int | None) -> None:
    failed = r'prorata_requests_total\{status=~"5..",route!="/readyz"\}'
    found = expression(
        "ProrataRequestsFail",
        rf"count_over_time\(\(sum\(increase\({failed}\[(\w+)\]\)\) > 0\)\[(\w+):(\w+)\]\) >= (\d+)",
    )
    part, whole, step = (seconds(each) for each in found[:3])
    samples = scraped(lambda at: bisect_right(failed_at, at), until=4 * 3600)
    with_failures = [at for at, _ in samples if at % step == 0 and (increase(samples, at=at, window=part) or 0) > 0]
    counts = ((at, sum(at - whole < each <= at for each in with_failures)) for at, _ in samples)
    assert next((at for at, parts in counts if parts >= int(found[3])), None) == fires_at


@pytest.mark.parametrize(
    ("charged", "notified", "fires"),
    [
        (None, None, False),
        (None, "9 hours", False),
        ("20 minutes", None, True),
        ("20 minutes", "19 minutes", False),
        ("20 minutes", "20 minutes 50 seconds", False),
        ("20 minutes", "21 minutes 10 seconds", True),
        ("20 seconds", "9 hours", True),
        ("28 days", None, True),
        ("31 days", None, False),
    ],
)
def test_notifications_that_stay_away_are_told_of_by_a_charge_that_none_followed(
    world: World, api: Api, ada: Customer, charged: str | None, notified: str | None, fires: bool
) -> None:
    [rule] = [each for each in RULES if each["alert"] == "ProrataWebhooksStayAway"]
    if charged:
        world.buy(ada, worlds.purchase())
    with world.begin() as session:
        for statement, ago in ((CHARGED, charged), (NOTIFIED, notified)):
            if ago:
                session.execute(text(statement), {"ago": ago})
    told = dict(line.rsplit(" ", 1) for line in api.get("/metrics").text.splitlines() if line[0] != "#")
    one_process = re.sub(r"min\((\w+)\)", lambda found: f"float('{told[found[1]]}')", rule["expr"])
    assert eval(one_process) is fires
    assert rule["for"] == "15m"


CHARGED = "update charge_attempts set created_at = clock_timestamp() - cast(:ago as interval)"
NOTIFIED = """
    insert into webhooks_received (id, type, payload, received_at, handled_at)
    select 'evt_1', 'payment_intent.succeeded', '', at, at from (select clock_timestamp() - cast(:ago as interval) as at) as came
"""
