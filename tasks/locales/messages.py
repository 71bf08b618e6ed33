"""Finds the messages in the source: every catalogue must have exactly these."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

from models.accounts import Language
from tasks.locales import DOMAIN, po_path, read_catalogue

_ROOT: Final = Path(__file__).parents[2]
_SOURCES: Final = ("tasks",)
_KEYWORDS: Final = {"say": None, "say_n": (1, 2), "mark": None}
"""`Wording.say`, `Wording.say_n` and `mark`, see tasks/letters/wording.py"""


def messages() -> Catalog:
    """Every message of the source, untranslated, with the files that use it."""
    template = Catalog(project="Prorata", domain=DOMAIN, charset="utf-8", fuzzy=False)
    for source in _SOURCES:
        found = extract_from_dir(_ROOT / source, [("**.py", "python")], keywords=_KEYWORDS)
        for name, _, message, comments, context in found:
            template.add(message, None, [(f"{source}/{name}", 0)], auto_comments=comments, context=context)
    return template


def update(language: Language) -> Catalog:
    """Update the language's file to the source's messages: new ones are empty, unused ones dropped.

    Nothing is guessed: a message whose English changed is a new one.
    """
    path = po_path(language)
    catalogue = read_catalogue(language) if path.exists() else _new(language)
    catalogue.update(messages(), no_fuzzy_matching=True, update_creation_date=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, width=110, include_lineno=False, ignore_obsolete=True)
    return catalogue


def _new(language: Language) -> Catalog:
    return Catalog(
        locale=language.value,
        domain=DOMAIN,
        header_comment=f"# What customers read, in {Locale.parse(language.value).english_name}. See docs/locales.md.",
        project="Prorata",
        version="1",
        msgid_bugs_address="see README.md",
        last_translator="Prorata",
        language_team="Prorata",
        revision_date=datetime.now(UTC),
        fuzzy=False,
    )


def untranslated(catalogue: Catalog) -> list[str]:
    """The messages, in English, that have no translation, or not one for every plural."""
    return [_english(message) for message in catalogue if message.id and not all(_forms(message.string))]


def _english(message: Message) -> str:
    return str(_forms(message.id)[0])


def _forms(text: object) -> list[object]:
    return list(text) if isinstance(text, list | tuple) else [text]
