"""A document as a page for the browser, which prints it on A4."""

from functools import cache
from pathlib import Path

from jinja2 import Template

from tasks.html_pages import template
from tasks.invoices.page import Page


def as_html(page: Page) -> str:
    return _template().render(page=page)


@cache
def _template() -> Template:
    return template(Path(__file__).parent, "invoice.html")
