"""`prorata catalogue load`, `prorata accounts load`, `prorata db upgrade | downgrade`: what is there before the first order."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from models import migrations
from tasks.plain_text import one_line
from tasks.wiring import begin, now
from worker import server_urls, upgrading
from worker.commands.options import AsJson
from worker.commands.screen import moment, print_json
from worker.environment import database_settings
from worker.loading import accounts_file, accounts_loading, catalogue_file, catalogue_loading
from worker.wiring import plug_in_from_settings

catalogue = typer.Typer(help="What is sold.", no_args_is_help=True)
accounts = typer.Typer(help="Who buys.", no_args_is_help=True)
db = typer.Typer(help="The database.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="YAML; /dev/stdin for standard input", show_default=False)]


@catalogue.command("load")
def load_catalogue(file: File, as_json: AsJson = False) -> None:
    """Make FILE the catalogue's next version: all of it, or nothing."""
    parsed = catalogue_file.read(file)
    plug_in_from_settings()
    with begin() as session:
        loaded = catalogue_loading.load(session, parsed, now=now())
    if as_json:
        print_json(asdict(loaded))
        return
    if loaded.is_new:
        tiers = sum(len(product.tiers) for product in parsed.products)
        typer.echo(
            f"Loaded version {loaded.version}: {len(parsed.products)} products, {tiers} tiers, "
            f"prices from {moment(loaded.effective_from)} UTC on."
        )
    else:
        typer.echo(f"Nothing to do: {file} is the catalogue already, version {loaded.version}.")
    _tell_what_cannot_be_printed("names", loaded.not_printable)


@accounts.command("load")
def load_accounts(file: File) -> None:
    """Load the accounts of FILE with their contacts and cards, and order what they have already."""
    parsed = accounts_file.read(file)
    plug_in_from_settings()
    with Console(stderr=True).status("comparing") as status:
        loaded = accounts_loading.load(parsed, tell=status.update)
    orders = sum(map(len, loaded.orders.values()))
    changed = f" ({len(loaded.changed)} changed: {', '.join(loaded.changed)})" if loaded.changed else ""
    typer.echo(
        f"{'1 account is' if len(loaded.new) == 1 else f'{len(loaded.new)} accounts are'} new, "
        f"{len(loaded.known)} already existed{changed}; "
        f"{orders} {'order' if orders == 1 else 'orders'} placed for what they have already."
    )
    if loaded.without_address:
        typer.echo(
            f"Without an address: {len(loaded.without_address)}. Their invoices will lack what invoices in the Union must name "
            "(Directive 2006/112/EC, article 226); give it in the file and load it again, or let them set it."
        )
    if loaded.in_another_currency:
        typer.echo(
            f"VAT in a currency other than the tax state's: {len(loaded.in_another_currency)}. Their invoices will lack the amount in that "
            "(Directive 2006/112/EC, article 230); see section 9 of docs/money.md."
        )
    _tell_what_cannot_be_printed("names and addresses", loaded.not_printable)
    if loaded.left_alone:
        typer.echo("Left as it is, although the file says otherwise:")
        for what in loaded.left_alone:
            typer.echo(f"  {what}")


def _tell_what_cannot_be_printed(what: str, not_printable: Sequence[str]) -> None:
    if not_printable:
        typer.echo(f"The PDF of an invoice cannot print these {what} (see section 9 of docs/money.md):")
        for said in not_printable:
            typer.echo(f"  {one_line(said)}")


@db.command("upgrade")
def upgrade(
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="up to this one")] = "head",
    or_newer: Annotated[
        bool, typer.Option("--or-newer", help="a newer database will do: leave it as it is, with a warning")
    ] = False,
) -> None:
    """Bring the database to what this version needs; doing it again changes nothing."""
    try:
        upgrading.upgrade(
            database_settings().database_url.get_secret_value(), revision, say=partial(typer.echo, err=True)
        )
    except migrations.AlreadyBeyond as beyond:
        if not or_newer:
            raise
        typer.echo(f"The database is at {beyond.standing}, newer than asked for. Left as it is.", err=True)
    else:
        typer.echo("The database is up to date.")


@db.command("downgrade")
def downgrade(
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="back to this one", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask; for programs")] = False,
) -> None:
    """Take the database back to what an older release needs; run it with the newer one, whose processes have ended."""
    url = database_settings().database_url.get_secret_value()
    standing = migrations.stands_at(url)
    migrations.check_behind(revision, standing)
    typer.echo(
        f"The database at {server_urls.name(url)} goes back from {standing} to {revision}. Data that only later revisions keep is lost: "
        "take a backup, and stop API, workers and beat first."
    )
    if not yes:
        _ask()
    upgrading.downgrade(url, revision, say=partial(typer.echo, err=True))
    typer.echo(f"The database is at {revision}.")


def _ask() -> None:
    """Raises Abort unless a person says yes."""
    if not sys.stdin.isatty():
        raise typer.BadParameter("standard input is not a terminal: pass --yes")
    typer.confirm("Continue?", abort=True)
