"""The `prorata` command."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from worker.commands import accounts, drill, failures, invoices, keys, ledger, loading, orders, process
from worker.commands.shown_settings import show_settings
from worker.commands.up import up
from worker.commands.worker_health import worker_health

app = typer.Typer(
    name="prorata",
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
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """What every command has."""


app.command(context_settings=process.PASSED_ON, add_help_option=False)(process.demo)
app.command()(up)
app.command()(process.api)
app.command()(process.worker)
app.command()(process.beat)
app.command()(worker_health)
app.add_typer(orders.orders, name="orders")
app.add_typer(ledger.ledger, name="ledger")
app.add_typer(invoices.invoices, name="invoices")
app.add_typer(loading.catalogue, name="catalogue")
app.add_typer(accounts.accounts, name="accounts")
app.add_typer(keys.keys, name="keys")
app.add_typer(loading.db, name="db")
app.add_typer(drill.drill, name="drill")
app.command("settings")(show_settings)


def main(arguments: Sequence[str] | None = None) -> None:
    sys.exit(failures.run(lambda: app(arguments)))


if __name__ == "__main__":
    main()
