"""A letter as plain text: the fast way round wrapping says what wrapping says, and a link stands below its label."""

import textwrap

import pytest

from models.accounts import Language
from tasks.letters.as_text import WIDTH, as_text
from tasks.letters.content import Block, Content, Link, Paragraph
from tasks.letters.wording import Wording


def written(block: Block, language: Language = Language.EN) -> str:
    content = Content("subject", "Title", "Hello,", (block,), ("Prorata",))
    return as_text(content, Wording(language, "EUR", "UTC"))


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
    wrapped = textwrap.fill(text, WIDTH, break_on_hyphens=False)
    assert written(Paragraph(text)) == f"Title\n=====\n\nHello,\n\n{wrapped}\n\n-- \nProrata\n"


def test_what_is_to_be_copied_is_not_wrapped() -> None:
    text = "IBAN DE02 1203 0000 0000 2020 51, " * 4
    assert f"\n\n{text}\n\n" in written(Paragraph(text, whole=True))


@pytest.mark.parametrize(("language", "label"), [(Language.EN, "Seats:"), (Language.FR, "Seats\N{NO-BREAK SPACE}:")])
def test_a_link_stands_below_its_label_with_the_colon_of_the_language(language: Language, label: str) -> None:
    assert f"\n\n{label}\nhttps://prorata.example/seats\n\n" in written(
        Link("Seats", "https://prorata.example/seats"), language
    )
