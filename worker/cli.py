"""The `prorata` command. The module of a subcommand is imported when it is called: all of them together take two seconds."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pkgutil import resolve_name
from typing import Annotated, Any, Final, cast

import typer
from typer.core import TyperGroup

from worker import heap
from worker.commands import failures
from worker.commands.utf8 import taking_utf8
from worker.logs import set_up_logging

COMMANDS: Final[Mapping[str, str]] = {
    "demo": "worker.commands.process:demo",
    "up": "worker.commands.up:up",
    "api": "worker.commands.process:api",
    "worker": "worker.commands.process:worker",
    "beat": "worker.commands.process:beat",
    "worker-health": "worker.commands.worker_health:worker_health",
    "orders": "worker.commands.orders:orders",
    "ledger": "worker.commands.ledger:ledger",
    "cases": "worker.commands.cases:cases",
    "webhooks": "worker.commands.webhooks:webhooks",
    "rejected": "worker.commands.rejected:rejected",
    "invoices": "worker.commands.invoices:invoices",
    "documents": "worker.commands.documents:documents",
    "catalogue": "worker.commands.loading:catalogue",
    "accounts": "worker.commands.accounts:accounts",
    "people": "worker.commands.people:people",
    "keys": "worker.commands.keys:keys",
    "db": "worker.commands.loading:db",
    "drill": "worker.commands.drill:drill",
    "settings": "worker.commands.shown_settings:show_settings",
}
"""where each is, as `module:name`: a function, or a group of commands"""

_PASSES_ON: Final = {"demo"}
"""those whose options are another program's, its `--help` included"""


class _Commands(Mapping[str, Any]):
    """By name, each loaded when it is asked for."""

    def __getitem__(self, name: str) -> Any:
        with heap.loading():
            return _loaded(name, resolve_name(COMMANDS[name]))

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def _loaded(name: str, found: typer.Typer | Callable[..., None]) -> Any:
    if isinstance(found, typer.Typer):
        group = typer.main.get_group(found)
        group.name = name
        return taking_utf8(group)
    alone = typer.Typer(add_completion=False)
    if name in _PASSES_ON:
        others = {"allow_extra_args": True, "ignore_unknown_options": True}
        alone.command(name, context_settings=others, add_help_option=False)(found)
    else:
        alone.command(name)(found)
    return taking_utf8(typer.main.get_command(alone))


class _Group(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = cast(Any, _Commands())  # typer only reads it

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Raises failures.Interrupted: of a KeyboardInterrupt typer would keep nothing but the exit status."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stopped:
            raise failures.Interrupted.by(stopped) from stopped


app = typer.Typer(
    name="prorata",
    cls=_Group,
    help="Order processor for per-seat subscriptions. Every setting is a PRORATA_ variable: see `prorata settings`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(version("prorata"))
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """What every command has. What is logged goes to standard error, where it is in no program's way."""
    set_up_logging()


def main(arguments: Sequence[str] | None = None) -> None:
    sys.exit(failures.run(lambda: app(arguments)))
