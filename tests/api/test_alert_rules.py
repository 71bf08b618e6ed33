"""docs/alerts.yml asks for what /metrics prints, and nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.api.conftest import Api

GROUPS = yaml.safe_load((Path(__file__).parents[2] / "docs" / "alerts.yml").read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_series_that_are_printed(rule: dict[str, Any], api: Api) -> None:
    api.post("/v1/webhooks/stripe", {}, headers={"Stripe-Signature": "t=1,v1=forged"})
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
