"""`python -m tasks.locales`: update every catalogue to the source's messages, and list what is left to translate."""

import sys

from models.accounts import Language
from tasks.locales import SOURCE_LANGUAGE, po_path
from tasks.locales.messages import untranslated, update

if __name__ == "__main__":
    for language in Language:
        if language is not SOURCE_LANGUAGE:
            missing = untranslated(update(language))
            sys.stdout.write("\n  ".join([f"{po_path(language)}: {len(missing)} to translate", *missing]) + "\n")
