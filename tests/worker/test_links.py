"""Every link of a page leads to a file that is there, and to a section of it; so does what the code says of the pages."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
CODE = [
    *(path for folder in ("models", "tasks", "worker", "api_stub") for path in (ROOT / folder).rglob("*.py")),
    *(ROOT / name for name in ("docker-compose.yml", ".env.example", "docs/alerts.yml", "Makefile")),
]
TESTS = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]


def prose(page: Path) -> str:
    return re.sub(r"^( *)```.*?^\1```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@cache
def titles(page: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of a page's titles."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles(page)}


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    there = page.parent / path if path else page
    return there.exists() and (not anchor or anchor in anchors(there))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)) if not link.startswith("https://")]
    assert [link for link in links if not leads_somewhere(page, link)] == []


def test_no_page_has_two_sections_of_one_name() -> None:
    assert [page.name for page in PAGES if len(titles(page)) != len(anchors(page))] == []


@pytest.mark.parametrize("page", ["operations.md", "disputes.md", "deploying.md", "promises.md"])
def test_the_top_of_a_long_page_lists_its_sections(page: str) -> None:
    text = prose(ROOT / "docs" / page)
    listed = re.findall(r"\[([^\]]+)\]\(#", text.partition("\nOn this page: ")[2].partition("\n\n")[0])
    assert listed == re.findall(r"^## (.+)$", text, re.MULTILINE)


def test_every_section_that_the_code_names_is_there() -> None:
    code = "\n".join(file.read_text(encoding="utf-8") for file in CODE)
    named = {(page, title) for title, page in re.findall(r'"([^"\n]+)" in (docs/\w+\.md)', code)}
    named.update(re.findall(r"(docs/\w+\.md), ([A-Z][\w' ]+)", code))
    assert {("docs/disputes.md", "A disputed charge"), ("docs/upgrading.md", "The order of a rollout")} <= named
    assert [(page, title) for page, title in sorted(named) if title not in titles(ROOT / page)] == []


def test_every_page_that_code_and_tests_name_is_there() -> None:
    named = {page for file in [*CODE, *TESTS] for page in re.findall(r"\bdocs/\w+\.(?:md|yml)\b", file.read_text())}
    assert {"docs/deploying.md", "docs/money.md", "docs/alerts.yml"} <= named
    assert [page for page in sorted(named) if not (ROOT / page).exists()] == []
