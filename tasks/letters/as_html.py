"""A letter's content as HTML that mail programs show: tables, one short style sheet, nothing fetched from anywhere."""

from functools import cache
from pathlib import Path

from jinja2 import Template

from tasks.html_pages import template
from tasks.letters.content import Content, Link, Paragraph, Table, Weight


def as_html(content: Content, *, language: str, sender: str) -> str:
    return _template().render(content=content, language=language, sender=sender)


@cache
def _template() -> Template:
    return template(
        Path(__file__).parent,
        "letter.html",
        paragraph=lambda block: isinstance(block, Paragraph),
        link=lambda block: isinstance(block, Link),
        table=lambda block: isinstance(block, Table),
        total=lambda row: row.weight is Weight.TOTAL,
    )
