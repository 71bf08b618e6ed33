"""The catalogues hold what the source asks for: all of it, nothing else, with the same placeholders."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from models.accounts import Language
from tasks import locales
from tasks.letters.wording import LOCALES, Wording
from tasks.locales import SOURCE_LANGUAGE, po_path, read_catalogue
from tasks.locales.messages import messages, untranslated, update

TRANSLATED = [language for language in Language if language is not SOURCE_LANGUAGE]
every_translation = pytest.mark.parametrize("language", TRANSLATED, ids=lambda each: each.value)
REMEDY = "run python -m tasks.locales, and translate what it names"


@pytest.fixture(scope="module")
def asked_for() -> Catalog:
    return messages()


def forms(text: object) -> list[str]:
    return [str(each) for each in text] if isinstance(text, list | tuple) else [str(text)]


@every_translation
def test_nothing_is_missing_or_stale(language: Language, asked_for: Catalog) -> None:
    def ids(catalogue: Catalog) -> set[object]:
        return {message.id for message in catalogue if message.id}

    assert ids(read_catalogue(language)) == ids(asked_for), REMEDY


def test_a_new_languages_catalogue_begins_as_the_others_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def beginning(file: Path) -> list[str]:
        of_the_day = ("POT-Creation-Date", "PO-Revision-Date", "Generated-By")
        lines = file.read_text(encoding="utf-8").split("\n\n", maxsplit=1)[0].splitlines()
        return [line for line in lines if not any(name in line for name in of_the_day)]

    anew = tmp_path / "de" / "prorata.po"
    monkeypatch.setattr("tasks.locales.messages.po_path", lambda _: anew)
    update(Language.DE)
    assert beginning(anew) == beginning(po_path(Language.DE))


@every_translation
def test_nothing_is_untranslated_or_doubtful(language: Language) -> None:
    catalogue = read_catalogue(language)
    assert untranslated(catalogue) == [], REMEDY
    assert [message.id for message in catalogue if message.fuzzy] == []
    assert not catalogue.obsolete
    assert not catalogue.fuzzy


@every_translation
def test_placeholders_are_the_same_in_every_form(language: Language) -> None:
    for message in read_catalogue(language):
        if not message.id:
            continue
        placeholders = {tuple(sorted(Counter(re.findall(r"%(?:\(\w+\))?.", form)))) for form in forms(message.string)}
        assert placeholders <= {tuple(sorted(Counter(re.findall(r"%(?:\(\w+\))?.", f)))) for f in forms(message.id)}
        assert len(placeholders) == 1, message.id


@every_translation
def test_every_plural_has_its_form(language: Language) -> None:
    catalogue = read_catalogue(language)
    plurals = [message for message in catalogue if message.pluralizable]
    assert plurals
    assert {len(forms(message.string)) for message in plurals} == {catalogue.num_plurals}


@every_translation
def test_sentences_end_as_the_english_do(language: Language) -> None:
    for message in read_catalogue(language):
        for english, translated in zip(forms(message.id), forms(message.string), strict=True):
            if message.id:
                assert (english[-1:] == ".") <= (translated[-1:] == "."), message.id
                assert translated == translated.strip()


def test_french_marks_are_set_off_by_spaces_that_do_not_break() -> None:
    """U+00A0 before a colon and inside guillemets, U+202F before the others, as the Imprimerie nationale sets them."""
    found = [form for message in read_catalogue(Language.FR) if message.id for form in forms(message.string)]
    assert [form for form in found if re.search("[^\xa0][:»]|«[^\xa0]|[^\u202f][;!?]", form)] == []


@pytest.mark.parametrize(("language", "other"), [(Language.FR, "'"), (Language.IT, "’")])
def test_a_language_writes_all_its_apostrophes_alike(language: Language, other: str) -> None:
    """French ones are typographic, Italian ones straight."""
    found = [form for message in read_catalogue(language) if message.id for form in forms(message.string)]
    assert [form for form in found if other in form] == []


def test_french_elides_nothing_before_a_name_that_may_begin_with_a_vowel() -> None:
    names = "product|plans?|card|users|account|contacts|tiers?|from_tier|to_tier|country|case"
    found = [form for message in read_catalogue(Language.FR) if message.id for form in forms(message.string)]
    assert [form for form in found if re.search(rf"\b(?:d|l|n|qu|jusqu|lorsqu)[ea] %\((?:{names})\)", form)] == []


def test_every_message_in_the_source_is_found(asked_for: Catalog) -> None:
    """An f-string or a variable around a message would hide it from the extraction."""
    found = {form for message in asked_for if message.id for form in forms(message.id)}
    missed = [
        text for path in sorted(locales.FOLDER.parent.rglob("*.py")) for text in _spoken(path) if text not in found
    ]
    assert missed == []


def _spoken(path: Path) -> list[str]:
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    arguments = {"say": 1, "say_n": 2, "mark": 1}
    texts: list[str] = []
    for call in calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        taken = call.args[: arguments.get(name, 0)]
        texts += [arg.value for arg in taken if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    return texts


def test_every_language_is_wired() -> None:
    assert set(LOCALES) == set(Language)
    assert all(po_path(language).is_file() for language in TRANSLATED)
    assert {path.parts[-3] for path in locales.FOLDER.rglob("*.po")} == {language.value for language in TRANSLATED}


def test_italian_addresses_the_customer_with_a_capital() -> None:
    to_you = re.compile(r"\ble (?:\w+(?:isce|iamo|iscono|eranno|eremo|erà)|viene|vengono|abbiamo)\b")
    said = [form for message in read_catalogue(Language.IT) if message.id for form in forms(message.string)]
    assert [each for each in said if to_you.search(each)] == []


def test_a_refund_that_the_bank_may_make_has_a_title_that_names_nobody() -> None:
    """The notice of a disputed payment says below it that the customer's bank returns the money."""
    assert Wording(Language.FR, "EUR", "UTC").say("You get back") == "Montants restitués"
