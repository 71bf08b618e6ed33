"""`prorata settings`: every variable with what it is now; secrets stay secret."""

import os

from pydantic import SecretStr

from worker import server_urls
from worker.commands.screen import console, plain
from worker.settings import Settings, ignored, settings


def show_settings() -> None:
    """Check the settings of this environment and show them. Exit status 2 where one is missing or wrong."""
    chosen = settings()
    rows = []
    for name in Settings.model_fields:
        rows.append((f"PRORATA_{name.upper()}", _shown(getattr(chosen, name)), _remark(chosen, name)))
    for variable, _ in ignored(os.environ):
        rows.append((plain(variable), "", "no setting: ignored"))
    indent = max(len(name) for name, _, _ in rows)
    where = console()
    for name, value, remark in rows:
        said = f"  [dim]{remark}[/]" if remark else ""
        where.print(f"{name:{indent}}  {value}{said}", soft_wrap=True, highlight=False)


def _shown(value: object) -> str:
    """As one would write it into the environment."""
    if isinstance(value, SecretStr):
        return "(secret)"
    if value is None:
        return "(empty)"
    return str(value).lower() if isinstance(value, bool) else plain(str(value))


def _remark(chosen: Settings, name: str) -> str:
    if name not in chosen.model_fields_set:
        return "default"
    if name in ("database_url", "broker_url") and server_urls.is_open_to_readers(
        getattr(chosen, name).get_secret_value()
    ):
        return "not encrypted on its way"
    return ""
