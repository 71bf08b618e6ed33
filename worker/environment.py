"""This process's settings, read once from its environment; nobody else reads that. What is wrong with them is said in our words."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from worker import production
from worker.settings import BrokerSettings, DatabaseSettings, EverySettings, ServerSettings, Settings


class SettingsError(Exception):
    """A setting is missing or wrong; the message names each variable and what is wrong with it."""


PREFIX = "PRORATA_"
Kind = TypeVar("Kind", bound=EverySettings)
FOR_OTHERS = frozenset(
    {
        *("POSTGRES_PASSWORD", "REDIS_PASSWORD", "IMAGE_TAG"),  # docker-compose.yml, from .env
        *("API_PORT", "FLOWER_PORT", "MAILPIT_PORT", "STRIPE_PORT", "VIES_PORT"),
        *("LONG", "E2E_URL", "E2E_STRIPE_URL", "E2E_VIES_URL", "E2E_MAILPIT_URL", "E2E_PRORATA"),  # the tests
    }
)
"""names that begin like settings but are read elsewhere; see docs/deploying.md"""


def ignored(environment: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Names of variables that look like settings and are none, each with the setting that may be meant."""
    known = [name.upper() for name in Settings.model_fields]
    for variable in sorted(environment):
        name = variable.upper().removeprefix(PREFIX)
        if variable.upper().startswith(PREFIX) and name not in FOR_OTHERS and name not in known:
            close = get_close_matches(name, known, n=1, cutoff=0.8)
            yield variable, PREFIX + close[0] if close else None


@cache
def settings() -> Settings:
    """The settings of this process. Raises SettingsError that names what to set."""
    return read(Settings, unfit=production.unfit)


@cache
def database_settings() -> DatabaseSettings:
    """Those for a process that is given no others, so that it holds no secret that it does not need. Raises as `settings` does."""
    return read(DatabaseSettings, unfit=production.unfit_database)


@cache
def broker_settings() -> BrokerSettings:
    """See `database_settings`."""
    return read(BrokerSettings, unfit=production.unfit_broker)


@cache
def server_settings() -> ServerSettings:
    """See `database_settings`."""
    return read(ServerSettings, unfit=production.unfit_servers)


def read(kind: type[Kind], *, unfit: Callable[[Kind], production.Unfit]) -> Kind:
    """Those of this kind, from the environment. unfit: what production refuses of them."""
    misspelt = [
        (variable.upper().removeprefix(PREFIX), f"is not a setting; did you mean {meant}?")
        for variable, meant in ignored(os.environ)
        if meant
    ]
    misspelt += _given_twice(os.environ)
    try:
        chosen = kind()
    except ValidationError as error:
        wrong = [(_name(each["loc"]), _in_our_words(each)) for each in error.errors()]
        raise _refused(wrong + misspelt) from None
    if misspelt:
        raise _refused(misspelt)
    if chosen.environment == "production" and (why_not := list(unfit(chosen))):
        raise _refused(why_not)
    return chosen


def _given_twice(environment: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Capitals do not count in a name, so which of two spellings is meant nobody can tell."""
    spellings: dict[str, list[str]] = {}
    for variable in sorted(environment):
        spellings.setdefault(variable.upper(), []).append(variable)
    for name in Settings.model_fields:
        if len(given := spellings.get(f"{PREFIX}{name.upper()}", [])) > 1:
            yield name, f"is given more than once: {', '.join(given)}"


_IN_OUR_WORDS: Final[Mapping[str, str]] = {
    "missing": "must be set",
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "url_parsing": "must be a complete address such as https://billing.company.example",
    "url_scheme": "must start with http:// or https://",
    "string_too_long": "must have at most {max_length} characters",
}
"""by pydantic's type of error; our own checks already say it so"""


def _in_our_words(error: ErrorDetails) -> str:
    ours = _IN_OUR_WORDS.get(error["type"])
    return ours.format(**error.get("ctx", {})) if ours else error["msg"].removeprefix("Value error, ")


def _refused(wrong: list[tuple[str, str]]) -> SettingsError:
    lines = "\n".join(f"  {PREFIX}{name.upper()}: {why}" for name, why in wrong)
    return SettingsError(f"These settings are missing or wrong; set them in the environment:\n{lines}")


def _name(location: tuple[int | str, ...]) -> str:
    return "_".join(str(part) for part in location)
