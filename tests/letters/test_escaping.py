"""Names come from outside; they must not become markup, commands of a template, or words of ours."""

from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.accounts import Language
from models.states import LetterKind
from tasks.letters.names import ProductNames
from tests.letters.orders import TRIAL, UPGRADE, account, contact, letter, priced
from tests.letters.reading import read

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}{% for x in () %}{{ self.__init__ }}",
    "%(number)s %s %d 100%",
    "</td></table><a href='https://evil.example'>pay here</a>",
]


def hostile(kind: LetterKind, name: str) -> tuple[str, str, str]:
    made = letter(
        kind,
        priced(UPGRADE, TRIAL),
        account=account(name=name),
        contact=contact(name=name),
        names=ProductNames(products={"desk": name, "wiki": name}, tiers={("desk", "business"): name}),
        card=name,
    )
    return made.subject, made.text, made.html


@pytest.mark.parametrize("kind", LetterKind)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_shown_and_nothing_more(kind: LetterKind, name: str) -> None:
    _, text, html = hostile(kind, name)
    plain = read(letter(kind, priced(UPGRADE, TRIAL)).html)
    seen = read(html)
    assert seen.tags == plain.tags
    assert seen.links == plain.links
    assert f"Hello {name}," in " ".join(text.split())
    assert f"Hello {name}," in seen.texts
    assert escape(name).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in html


@pytest.mark.parametrize("kind", LetterKind)
def test_a_name_cannot_begin_a_line_or_a_header_of_its_own(kind: LetterKind) -> None:
    subject, text, html = hostile(kind, "Ada\r\nBcc: x@evil.example\n\nPay here: https://evil.example\u2028now")
    assert not {"\r", "\u2028"} & set(subject + text + html)
    assert "\n" not in subject
    assert "Hello Ada Bcc: x@evil.example Pay here: https://evil.example now," in " ".join(text.split())


def test_a_name_cannot_turn_the_writing_direction() -> None:
    _, text, html = hostile(LetterKind.CONFIRMATION, "Ada \u202eevil\u2066")
    assert not {"\u202e", "\u2066"} & set(text + html)


def test_a_name_as_long_as_the_column_allows_is_broken_into_lines() -> None:
    _, text, _ = hostile(LetterKind.CONFIRMATION, "W" * 200)
    assert [line for line in text.splitlines() if len(line) > 78 and not line.startswith("https://")] == []


ANY_NAME = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=200) | st.text(
    "%{}()s=?\r\n\t \"'<>&;\\\u2028\u202e\u200d\u0300éЯ寿😀", min_size=1, max_size=200
)
"""whatever a database can hold"""


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from(LetterKind), st.sampled_from(Language), ANY_NAME, ANY_NAME)
def test_no_name_stops_a_letter(kind: LetterKind, language: Language, name: str, other: str) -> None:
    made = letter(
        kind,
        priced(UPGRADE, TRIAL),
        language=language,
        account=account(name=name),
        contact=contact(name=other),
        names=ProductNames(products={"desk": other, "wiki": name}, tiers={("desk", "business"): name}),
        card=other,
    )
    assert "\n" not in made.subject
    assert read(made.html).texts
