"""`prorata catalogue load`, `prorata accounts load`, `prorata db upgrade`, `prorata keys issue`: what is there before the first order."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select

from models import migrations
from models.accounts import Account
from tasks import api_keys
from tasks.api_keys import KeyRefused, Scope
from tasks.wiring import begin, now
from worker import accounts_file, accounts_loading, catalogue_file, catalogue_loading
from worker.settings import settings
from worker.wiring import plug_in_from_settings

catalogue = typer.Typer(help="What is sold.", no_args_is_help=True)
accounts = typer.Typer(help="Who buys.", no_args_is_help=True)
db = typer.Typer(help="The database.", no_args_is_help=True)
keys = typer.Typer(help="Upstreams' API keys.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="YAML; /dev/stdin reads it from there", show_default=False)]


@catalogue.command("load")
def load_catalogue(file: File) -> None:
    """Make FILE the catalogue's next version: all of it, or nothing."""
    parsed = catalogue_file.read(file)
    plug_in_from_settings()
    with begin() as session:
        loaded = catalogue_loading.load(session, parsed, now=now())
    if not loaded.is_new:
        typer.echo(f"Nothing to do: {file} is the catalogue already, version {loaded.version}.")
        return
    tiers = sum(len(product.tiers) for product in parsed.products)
    typer.echo(
        f"Loaded version {loaded.version}: {len(parsed.products)} products, {tiers} tiers, "
        f"prices from {loaded.effective_from:%Y-%m-%d %H:%M:%S} UTC on."
    )


@accounts.command("load")
def load_accounts(file: File) -> None:
    """Load the accounts of FILE with their contacts and cards, and order what they have already."""
    parsed = accounts_file.read(file)
    plug_in_from_settings()
    loaded = accounts_loading.load(parsed)
    typer.echo(
        f"{len(loaded.new)} accounts are new, {len(loaded.known)} were there; "
        f"{sum(map(len, loaded.orders.values()))} orders placed for what they have already."
    )


@db.command("upgrade")
def upgrade(revision: Annotated[str, typer.Argument(help="up to this one")] = "head") -> None:
    """Bring the database to what this version needs; doing it again changes nothing."""
    migrations.upgrade(settings().database_url.get_secret_value(), revision)
    typer.echo("The database is up to date.")


@keys.command("issue")
def issue_key(
    name: Annotated[str, typer.Argument(help="who will use it", show_default=False)],
    account: Annotated[
        list[str] | None, typer.Option(help="code from the accounts file, or id; none: all there are")
    ] = None,
    scope: Annotated[list[Scope] | None, typer.Option(help="what it may do; none: everything")] = None,
    key: Annotated[str | None, typer.Option(help="one made elsewhere, for development")] = None,
) -> None:
    """Make an API key for an upstream. It is shown once: only its hash is kept."""
    plug_in_from_settings()
    with begin() as session:
        there = set(session.scalars(select(Account.id)))
        wanted = {each: accounts_file.account_called(each) for each in account or ()}
        if unknown := [each for each, account_id in wanted.items() if account_id not in there]:
            raise KeyRefused(f"there is no account {', '.join(unknown)}")
        ids = sorted(set(wanted.values()) or there)
        issued = api_keys.issue(session, name=name, scopes=scope or list(Scope), account_ids=ids, key=key)
    typer.echo(issued)
