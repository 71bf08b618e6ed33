"""`prorata settings`: every variable with what it is now; secrets stay secret."""

import os

from pydantic import SecretStr
from rich.table import Table

from worker.commands.screen import console
from worker.settings import Settings, ignored, settings


def show_settings() -> None:
    """Check the settings of this environment and show them. Exit status 2 where one is missing or wrong."""
    chosen = settings()
    table = Table("variable", "value", "", box=None, pad_edge=False)
    for name in Settings.model_fields:
        value = getattr(chosen, name)
        shown = "(secret)" if isinstance(value, SecretStr) else str(value)
        table.add_row(f"PRORATA_{name.upper()}", shown, "default" if name not in chosen.model_fields_set else "")
    for variable, _ in ignored(os.environ):
        table.add_row(variable, "", "no setting: ignored")
    console().print(table)
