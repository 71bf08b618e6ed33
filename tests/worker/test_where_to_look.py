"""The top of docs/operations.md sends whoever is on call to the right section: it knows every alert, every error of the log and every status that waits."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from celery.app.trace import log_policy_unexpected

from models.states import WAITING_FOR_CUSTOMER, OrderStatus
from tests.worker.test_links import leads_somewhere
from tests.worker.test_operations_document import section

ROOT = Path(__file__).parents[2]
SOURCES = [
    file.read_text() for folder in ("models", "tasks", "worker", "api_stub") for file in (ROOT / folder).rglob("*.py")
]
GROUPS = yaml.safe_load((ROOT / "docs/alerts.yml").read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [rule["alert"] for rule in RULES]
FIRST = section("Where to look first")


def table(head: str) -> list[list[str]]:
    """The rows of the table whose first column is called `head`, each as its cells."""
    lines = FIRST.partition(f"\n| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [line.strip("| ").split(" | ") for line in lines]


def quoted(head: str) -> list[str]:
    return [text for row in table(head) for text in re.findall(r"`(.+?)`", row[0])]


def logged() -> Iterator[str]:
    """What the code logs as an error."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Call(
                    func=ast.Attribute(ast.Name("log"), "error" | "exception" | "critical"),
                    args=[ast.Constant(str(text))],
                ):
                    yield text


def misconfigured() -> Iterator[str]:
    """What the adapters say to a person; `{}` stands for what is filled in."""
    for file in (ROOT / "worker/adapters").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func=ast.Name("Misconfigured" | "NumberRejected"), args=[ast.Constant(str(text))]):
                    yield text
                case ast.Call(func=ast.Name("Misconfigured" | "NumberRejected"), args=[ast.JoinedStr(parts)]):
                    yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)


def test_every_alert_is_there_and_no_other() -> None:
    assert sorted(quoted("alert")) == sorted(ALERTS)


def test_every_error_of_the_log_is_there_and_no_other() -> None:
    errors = set(logged())
    assert {"request failed", "charge disputed", "order needs attention"} <= errors
    celerys = log_policy_unexpected.description
    assert sorted(quoted("the log says")) == sorted([*errors, celerys])


def test_every_status_that_waits_is_there_and_no_other() -> None:
    assert sorted(quoted("status")) == sorted([OrderStatus.NEEDS_ATTENTION, *WAITING_FOR_CUSTOMER])


def test_every_last_error_that_is_there_is_one_of_the_code() -> None:
    said = quoted("the last error says")
    assert len(said) > 15
    code = "\n".join(SOURCES)
    assert [text for text in said if any(part not in code for part in re.split(r"(?:re_)?\.\.\. ?", text))] == []


def test_every_error_of_an_adapter_that_calls_a_person_is_there() -> None:
    errors = list(misconfigured())
    assert len(errors) > 20
    said = [re.escape(text).replace(r"\.\.\.", ".*") for text in quoted("the last error says")]
    assert [error for error in errors if not any(re.search(text, error) for text in said)] == []


def test_both_exit_statuses_that_call_somebody_are_there() -> None:
    assert quoted("exit status") == ["1", "3"]


@pytest.mark.parametrize(
    "head", ["alert", "status", "the log says", "the last error says", "exit status", "what is wanted"]
)
def test_every_row_leads_somewhere(head: str) -> None:
    rows = table(head)
    assert rows
    assert [row for row in rows if "](" not in row[-1]] == []


def test_the_table_of_alerts_has_a_row_for_each() -> None:
    first = re.findall(r"^\| (`Prorata.*?) \| `(\w+)", section("Alerts"), re.MULTILINE)
    rows = {alert: metric for cell, metric in first for alert in re.findall(r"`(\w+)`", cell)}
    assert sorted(rows) == sorted(ALERTS)
    assert [rule["alert"] for rule in RULES if rows[rule["alert"]] not in rule["expr"]] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_names_the_section_that_says_what_to_do(rule: dict[str, Any]) -> None:
    url = rule["annotations"]["runbook_url"]
    assert url.startswith("docs/operations.md#")
    assert leads_somewhere(ROOT / "README.md", url)
