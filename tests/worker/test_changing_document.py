"""docs/changing.md and docs/locales.md send nobody to a file that is not there, or to a table that is not in it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = "".join((ROOT / "docs" / name).read_text() for name in ("changing.md", "locales.md"))
FOLDERS = ("models", "tasks", "worker", "api_stub", "tests", "docs")
THERE_ARE = [
    f"/{path.relative_to(ROOT)}"
    for path in (*ROOT.glob("*.*"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")))
]
NAMED = sorted(set(re.findall(r"`([\w/.-]+\.(?:py|yml|md|toml))`", DOCUMENT)))
TABLES = [
    (file, name)
    for file, what in re.findall(r"^ *\| `([\w/.-]+\.py)` \| (.+) \|$", DOCUMENT, re.MULTILINE)
    for name in re.findall(r"`([A-Z_]+)`", what)
]


@pytest.mark.parametrize("file", NAMED)
def test_a_file_that_is_named_is_there(file: str) -> None:
    assert [path for path in THERE_ARE if path.endswith(f"/{file}")]


@pytest.mark.parametrize(("file", "name"), TABLES)
def test_what_is_to_be_changed_in_a_file_is_there(file: str, name: str) -> None:
    assert re.search(rf"\b{name}\b", (ROOT / file).read_text())


def test_there_are_such_files_and_tables() -> None:
    assert len(NAMED) > 40
    assert {("tasks/queues.py", "QUEUES"), ("tests/invoices/test_without_vat.py", "WHY")} <= set(TABLES)
