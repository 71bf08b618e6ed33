"""`prorata settings`: every variable with what it is now; secrets stay secret."""

import os

from pydantic import SecretStr

from worker import server_urls
from worker.commands.screen import console, plain
from worker.commands.tables import Column, Rows
from worker.settings import Settings, ignored, settings


def show_settings() -> None:
    """Check the settings of this environment and show them. Exit status 2 where one is missing or wrong."""
    chosen = settings()
    rows = []
    for name in Settings.model_fields:
        value = getattr(chosen, name)
        shown = "(secret)" if isinstance(value, SecretStr) else plain(str(value))
        rows.append((f"PRORATA_{name.upper()}", shown, _remark(chosen, name)))
    for variable, _ in ignored(os.environ):
        rows.append((plain(variable), "", "no setting: ignored"))
    console().print(Rows([Column(heading) for heading in ("variable", "value", "remark")], rows))


def _remark(chosen: Settings, name: str) -> str:
    if name not in chosen.model_fields_set:
        return "default"
    if name in ("database_url", "broker_url") and server_urls.is_open_to_readers(
        getattr(chosen, name).get_secret_value()
    ):
        return "not encrypted on its way"
    return ""
