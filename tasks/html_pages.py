"""The templates of what is shown as HTML: letters, and documents for the browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template


def template(folder: Path, name: str, **tests: Callable[[Any], bool]) -> Template:
    """The template of that name in `folder`. tests: what it may ask of a value, beside Jinja's own."""
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests |= tests
    return environment.get_template(name)
