"""The fast way round wrapping says what wrapping says."""

import textwrap

import pytest

from tasks.letters.as_text import WIDTH, as_text
from tasks.letters.content import Content, Paragraph


@pytest.mark.parametrize(
    "text",
    [
        "short",
        "two  spaces",
        " indented",
        "at the end ",
        "\ttab",
        "",
        "  ",
        "a" * WIDTH,
        "a b" * WIDTH,
        "no\N{NO-BREAK SPACE}break",
    ],
)
def test_a_paragraph_is_wrapped_as_ever(text: str) -> None:
    written = as_text(Content("subject", "Title", "Hello,", (Paragraph(text),), ("Prorata",)))
    wrapped = textwrap.fill(text, WIDTH, break_on_hyphens=False)
    assert written == f"Title\n=====\n\nHello,\n\n{wrapped}\n\n-- \nProrata\n"
