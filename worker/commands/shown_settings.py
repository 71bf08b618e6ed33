"""`prorata settings`: every variable with what it is now; secrets stay secret."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from pydantic import SecretStr

from worker import server_urls
from worker.commands.options import AsJson
from worker.commands.screen import console, plain, print_json
from worker.environment import ignored, settings
from worker.settings import Settings


@dataclass(frozen=True)
class _Shown:
    """A variable of this environment. value: None where it is empty, is a secret or is no setting; remark: what else is to be known."""

    variable: str
    value: str | int | float | bool | None
    secret: bool = False
    remark: str = ""

    def as_written(self) -> str:
        """As one would write it into the environment, or why there is nothing to show."""
        if self.secret:
            return "(secret)"
        if self.value is None:
            return "" if self.remark == _IGNORED else "(empty)"
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)


_IGNORED = "no setting: ignored"


def show_settings(as_json: AsJson = False) -> None:
    """Check the settings of this environment, as a worker and the API need them, and show them. Exit status 2 where one is missing or wrong."""
    shown = list(_of(settings()))
    if as_json:
        print_json([asdict(each) for each in shown])
        return
    indent = max(len(each.variable) for each in shown)
    where = console()
    for each in shown:
        remark = f"  [dim]{each.remark}[/]" if each.remark else ""
        line = f"{plain(each.variable):{indent}}  {plain(each.as_written())}{remark}"
        where.print(line, soft_wrap=True, highlight=False)


def _of(chosen: Settings) -> Iterator[_Shown]:
    for name in Settings.model_fields:
        value = getattr(chosen, name)
        secret = isinstance(value, SecretStr)
        yield _Shown(f"PRORATA_{name.upper()}", None if secret else value, secret, _remark(chosen, name))
    for variable, _ in ignored(os.environ):
        yield _Shown(variable, None, remark=_IGNORED)


def _remark(chosen: Settings, name: str) -> str:
    if name not in chosen.model_fields_set:
        return "default"
    if name not in ("database_url", "broker_url"):
        return ""
    url = getattr(chosen, name).get_secret_value()
    where = f"at {server_urls.name(url)}"
    return f"{where}, not encrypted on its way" if server_urls.is_open_to_readers(url) else where
