"""The texts customers read, by language: gettext catalogues (`{language}/LC_MESSAGES/prorata.po`), read once per process.

English is the language of the source: what `say` is given is what an English reader sees, so `en` has no catalogue.
The `.po` files are read directly; there is no compiled form that could be outdated. How to add a language: docs/locales.md.
"""

from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from models.accounts import Language

SOURCE_LANGUAGE: Final = Language.EN
FOLDER: Final = Path(__file__).parent
DOMAIN: Final = "prorata"


def po_path(language: Language) -> Path:
    return FOLDER / language.value / "LC_MESSAGES" / f"{DOMAIN}.po"


def read_catalogue(language: Language) -> Catalog:
    """The catalogue as its translators wrote it. Raises FileNotFoundError, PoFileError."""
    with po_path(language).open("rb") as file:
        return read_po(file, locale=language.value, domain=DOMAIN, abort_invalid=True)


@cache
def translations(language: Language) -> NullTranslations:
    """The translations from English into `language`; an untranslated or fuzzy message stays English."""
    if language is SOURCE_LANGUAGE:
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, read_catalogue(language))
    compiled.seek(0)
    return GNUTranslations(compiled)
