"""`prorata keys`: let upstreams in, see who may come in, and shut them out."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from sqlalchemy import select

from models.accounts import Account
from tasks.upstream import api_keys
from tasks.upstream.api_keys import IssuedKey, KeyRefused, Scope
from tasks.wiring import begin
from worker.commands.options import AsJson
from worker.commands.screen import console, moment, plain, print_json
from worker.loading.accounts_file import account_called
from worker.tables import Column, Rows
from worker.wiring import plug_in_from_settings

keys = typer.Typer(help="Upstreams' API keys.", no_args_is_help=True)


@keys.command("issue")
def issue_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="who will use it", show_default=False)],
    account: Annotated[
        list[str] | None, typer.Option(help="code from the accounts file, or id; default: all existing accounts")
    ] = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            metavar="SCOPE", help=f"what it may do, may be given several times: {', '.join(Scope)}; default: everything"
        ),
    ] = None,
    key: Annotated[str | None, typer.Option(help="use this one, made elsewhere; for development")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key for an upstream. It is shown once: only its hash is kept."""
    plug_in_from_settings()
    with begin() as session:
        there = set(session.scalars(select(Account.id)))
        wanted = {each: account_called(each) for each in account or ()}
        if unknown := [each for each, account_id in wanted.items() if account_id not in there]:
            raise KeyRefused(f"there is no account {', '.join(unknown)}")
        if not there:
            raise KeyRefused(
                "there are no accounts yet, and a key is bound to existing ones; run prorata accounts load FILE first"
            )
        ids = sorted(set(wanted.values()) or there)
        issued = api_keys.issue(session, name=name, scopes=scope or list(Scope), account_ids=ids, key=key)
        [made] = [each for each in api_keys.issued(session) if each.name == name]
    if as_json:
        print_json({"key": issued, **asdict(made)})
    else:
        typer.echo(issued)


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """Every key by its name: what it may do, for how many accounts, since when, until when, and when it was last used, to within an hour. Never the key."""
    plug_in_from_settings()
    with begin() as session:
        rows = api_keys.issued(session)
    if as_json:
        print_json([asdict(row) for row in rows])
    else:
        console().print(
            _table(rows) if rows else "No keys: nobody can come in. To let an upstream in: prorata keys issue NAME."
        )


@keys.command("revoke")
def revoke_key(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="as it was issued; see `prorata keys list`", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Refuse this key from the next request on. It cannot be undone; issue another under another name."""
    plug_in_from_settings()
    with begin() as session:
        revoked = api_keys.revoke(session, name=name)
        rows = [each for each in api_keys.issued(session) if each.name == name]
    if not revoked:
        raise KeyRefused(f"there is no valid key called {name!r}")
    if as_json:
        print_json(asdict(rows[0]))
        return
    typer.echo(f"The key {name!r} is refused from now on.")


_COLUMNS = (
    Column("name"),
    Column("scopes"),
    Column("accounts", right=True),
    Column("created (UTC)"),
    Column("revoked (UTC)"),
    Column("last used (UTC)"),
    Column("id", spare=True),
)


def _table(rows: Sequence[IssuedKey]) -> Rows:
    cells = [
        (
            plain(row.name),
            " ".join(row.scopes),
            str(row.accounts),
            moment(row.created_at),
            moment(row.revoked_at) if row.revoked_at else "",
            moment(row.last_used_at) if row.last_used_at else "",
            str(row.id),
        )
        for row in rows
    ]
    return Rows(_COLUMNS, cells)
