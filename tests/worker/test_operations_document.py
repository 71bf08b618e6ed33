"""The pages for operators name what there is: every status, every setting, every metric to alert on, and nothing that is not."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic.fields import FieldInfo

from models import attention, migrations
from models.rules.currency import EXPONENTS
from models.rules.refusals import RefusalCode
from models.states import OrderStatus
from tasks.letters.reasons import UNDONE
from tasks.queues import QUEUE_NAMES
from worker.adapters.stripe_amounts import charge_unit
from worker.cli import app
from worker.commands.loading import db
from worker.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
CHANGELOG = (DOCS.parent / "CHANGELOG.md").read_text()
METRICS = (DOCS.parent / "api_stub/routes/metrics.py").read_text()


def section(title: str, page: str = "operations.md") -> str:
    return (DOCS / page).read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("status", OrderStatus)
def test_every_status_is_explained(status: OrderStatus) -> None:
    assert re.search(rf"^\| `{status.value}` \|", section("Statuses"), re.MULTILINE)


@pytest.mark.parametrize("page", ["promises.md", "money.md"])
def test_currencies_that_are_charged_in_larger_steps_are_named(page: str) -> None:
    coarse = [[c for c in sorted(EXPONENTS) if charge_unit(c) == unit] for unit in (10, 100)]
    assert coarse == [["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], ["MGA"]]
    assert f"({', '.join(coarse[0])})" in (DOCS / page).read_text()


def test_every_metric_of_the_books_is_explained_and_no_other() -> None:
    there_are = set(re.findall(r'"(prorata_\w+)"', METRICS)) - {"prorata_requests", "prorata_request_seconds"}
    there_are.add("prorata_requests_total")
    assert set(re.findall(r"^\| [^|]+ \| `(prorata_\w+)", section("Alerts"), re.MULTILINE)) == there_are


def test_every_command_of_the_database_is_explained_and_no_other() -> None:
    assert set(re.findall(r"prorata db (\w+)", section("Upgrading the database", "upgrading.md"))) == {
        command.name for command in db.registered_commands
    }


def test_every_queue_is_named() -> None:
    assert [name for name in QUEUE_NAMES if f"`{name}`" not in section("Workers", "deploying.md")] == []


def test_the_database_that_the_documents_speak_of_is_this_one() -> None:
    assert f"is at migration {migrations.head()}." in section("Upgrading the database", "upgrading.md")
    assert f"migrations 0001 to {migrations.head()}." in CHANGELOG


def test_what_each_migration_locks_is_in_the_changelog() -> None:
    told = set(re.findall(r"\b00\d\d\b", CHANGELOG.partition("\n### Migrations\n")[2]))
    assert {f"{number:04}" for number in range(1, int(migrations.head()) + 1)} - told == set()


def written(field: FieldInfo) -> str:
    """A setting's default as the table has it."""
    if field.is_required():
        return "must be set"
    match field.default:
        case None:
            return "empty"
        case bool() as choice:
            return f"`{str(choice).lower()}`"
        case float() as seconds:
            return f"`{seconds:g}`"
        case default:
            return f"`{str(default).removesuffix('/')}`"


def test_every_setting_is_explained_with_its_default_and_no_other() -> None:
    told = re.findall(r"^\| `PRORATA_(\w+)` \| (.*?) \|", section("Settings", "deploying.md"), re.MULTILINE)
    assert [(name.lower(), default) for name, default in told] == [
        (name, written(field)) for name, field in Settings.model_fields.items()
    ]


def constants(call: str, argument: str | int) -> Iterator[str]:
    """What the code of `models` and `tasks` gives calls of this name for this argument, where it is written out there."""
    for folder in ("models", "tasks"):
        for file in (DOCS.parent / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and call == getattr(node.func, "attr", getattr(node.func, "id", None)):
                    given = dict(enumerate(node.args)) | {each.arg: each.value for each in node.keywords}
                    match given.get(argument):
                        case ast.Constant(value=str(code)):
                            yield code


def test_every_code_is_explained_and_no_other() -> None:
    waiting = {*constants("Ending", "reason"), *constants("values", "reason"), attention.NEEDS_ATTENTION}
    assert {"payment-details-missing", "payment-declined", "amount-differs"} <= waiting
    turned_back, ungranted = set(constants("CannotActivate", 0)), set(constants("RequestRefused", 0))
    assert len(turned_back) == 6
    assert len(ungranted) == 10
    told = re.findall(r"^\| (`.*?`) \|", section("Codes"), re.MULTILINE)
    assert {code.strip("`") for row in told for code in row.split(", ")} == {
        *waiting, *turned_back, *ungranted, *UNDONE, *(code.value for code in RefusalCode)
    }  # fmt: skip


def commands(command: Any, *words: str) -> Iterator[str]:
    """As they are typed."""
    if not hasattr(command, "commands"):
        yield " ".join(words)
        return
    for name, inner in command.commands.items():
        yield from commands(inner, *words, name)


def test_every_command_is_named_in_a_document() -> None:
    documents = " ".join(file.read_text() for file in (DOCS.parent / "README.md", *DOCS.glob("*.md")))
    there_are = set(commands(typer.main.get_command(app), "prorata"))
    assert {"prorata drill storm", "prorata keys revoke", "prorata worker-health", "prorata up"} <= there_are
    assert {command for command in there_are if not re.search(rf"\b{command}\b", documents)} == set()
