"""`prorata settings`: every variable with what it is now; secrets stay secret."""

import os

from pydantic import SecretStr
from rich.table import Table

from worker import server_urls
from worker.commands.screen import console, plain
from worker.settings import Settings, ignored, settings


def show_settings() -> None:
    """Check the settings of this environment and show them. Exit status 2 where one is missing or wrong."""
    chosen = settings()
    table = Table("variable", "value", "", box=None, pad_edge=False)
    for name in Settings.model_fields:
        value = getattr(chosen, name)
        shown = "(secret)" if isinstance(value, SecretStr) else plain(str(value))
        table.add_row(f"PRORATA_{name.upper()}", shown, _remark(chosen, name))
    for variable, _ in ignored(os.environ):
        table.add_row(plain(variable), "", "no setting: ignored")
    console().print(table)


def _remark(chosen: Settings, name: str) -> str:
    if name not in chosen.model_fields_set:
        return "default"
    if name in ("database_url", "broker_url") and server_urls.is_open_to_readers(
        getattr(chosen, name).get_secret_value()
    ):
        return "not encrypted on its way"
    return ""
