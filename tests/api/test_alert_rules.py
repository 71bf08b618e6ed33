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
    printed = api.get("/metrics").text.splitlines()
    selectors = re.findall(r"(prorata_\w+)(?:\{(\w+)=(~?)\"(.*?)\"\})?", rule["expr"])
    assert selectors or "up{" in rule["expr"]
    for name, label, is_pattern, value in selectors:
        labels = rf'\{{{label}="{value if is_pattern else re.escape(value)}"\}}' if label else ""
        assert [line for line in printed if re.fullmatch(rf"{name}{labels} \S+", line)], rule["expr"]


def test_rules_have_names_of_their_own() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
