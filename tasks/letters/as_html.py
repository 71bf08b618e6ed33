"""A letter's content as HTML that mail programs show: tables, inline styles, nothing fetched from anywhere."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from tasks.letters.content import Content, Link, Paragraph, Table, Weight


def as_html(content: Content, *, language: str, sender: str) -> str:
    return _template().render(content=content, language=language, sender=sender)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests |= {
        "paragraph": lambda block: isinstance(block, Paragraph),
        "link": lambda block: isinstance(block, Link),
        "table": lambda block: isinstance(block, Table),
        "total": lambda row: row.weight is Weight.TOTAL,
    }
    return environment.get_template("letter.html")
