"""`prorata keys`: let upstreams in, see who may come in, and shut them out."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

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

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="as it was issued; see `prorata keys list`", show_default=False)
]
Accounts = Annotated[
    list[str],
    typer.Option(
        "--account", help="code from the accounts file, or id; may be given several times", show_default=False
    ),
]


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
        ids = _ids(session, account) if account else sorted(session.scalars(select(Account.id)))
        if not ids:
            raise KeyRefused(
                "there are no accounts yet, and a key is bound to existing ones; run prorata accounts load FILE first"
            )
        issued = api_keys.issue(session, name=name, scopes=scope or list(Scope), account_ids=ids, key=key)
        made = _called(session, name)
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


@keys.command("show")
def show_key(name: Name, as_json: AsJson = False) -> None:
    """One key, with the accounts that it may act for. Never the key."""
    plug_in_from_settings()
    with begin() as session:
        row = _called(session, name)
        bound = api_keys.accounts_of(session, row.id)
    if as_json:
        print_json(_told(row, bound))
        return
    console().print(_table([row]))
    if bound:
        typer.echo()
        console().print(Rows(_BOUND, [(str(account_id), plain(called)) for account_id, called in bound]))


@keys.command("allow")
def allow_accounts(name: Name, account: Accounts, as_json: AsJson = False) -> None:
    """Let a key act for these accounts too, from the next request on. It keeps the accounts that it has."""
    plug_in_from_settings()
    with begin() as session:
        new = api_keys.allow(session, name=name, account_ids=_ids(session, account))
        row = _called(session, name)
        bound = api_keys.accounts_of(session, row.id)
    if as_json:
        print_json(_told(row, bound))
    else:
        typer.echo(f"The key {name!r} may act for {_counted(row)}, {new or 'none'} of them new.")


@keys.command("disallow")
def disallow_accounts(name: Name, account: Accounts, as_json: AsJson = False) -> None:
    """Let a key no longer act for these accounts, from the next request on. Streams of events that are open end within 15 minutes."""
    plug_in_from_settings()
    with begin() as session:
        fewer = api_keys.disallow(session, name=name, account_ids=_ids(session, account))
        row = _called(session, name)
        bound = api_keys.accounts_of(session, row.id)
    if as_json:
        print_json(_told(row, bound))
    else:
        than_before = f"{fewer} fewer than before" if fewer else "as before"
        typer.echo(f"The key {name!r} may act for {_counted(row)}, {than_before}.")


@keys.command("revoke")
def revoke_key(name: Name, as_json: AsJson = False) -> None:
    """Refuse this key from the next request on. It cannot be undone; issue another under another name."""
    plug_in_from_settings()
    with begin() as session:
        if not api_keys.revoke(session, name=name):
            raise KeyRefused(f"there is no valid key called {name!r}")
        row = _called(session, name)
    if as_json:
        print_json(asdict(row))
        return
    typer.echo(f"The key {name!r} is refused from now on.")


def _ids(session: Session, named: Sequence[str]) -> list[UUID]:
    """Of the accounts that a person names by code or id. Raises KeyRefused, which names those that there are not."""
    wanted = {each: account_called(each) for each in named}
    there = set(session.scalars(select(Account.id).where(Account.id.in_(wanted.values()))))
    if unknown := [each for each, account_id in wanted.items() if account_id not in there]:
        raise KeyRefused(f"there is no account {', '.join(unknown)}")
    return sorted(there)


def _called(session: Session, name: str) -> IssuedKey:
    """Raises KeyRefused."""
    found = next((each for each in api_keys.issued(session) if each.name == name), None)
    if found is None:
        raise KeyRefused(f"there is no key called {name!r}")
    return found


def _counted(row: IssuedKey) -> str:
    return f"{row.accounts} account{'' if row.accounts == 1 else 's'}"


def _told(row: IssuedKey, bound: Sequence[tuple[UUID, str]]) -> dict[str, object]:
    return asdict(row) | {"bound_to": [{"id": account_id, "name": called} for account_id, called in bound]}


_COLUMNS = (
    Column("name"),
    Column("scopes"),
    Column("accounts", right=True),
    Column("created (UTC)"),
    Column("revoked (UTC)"),
    Column("last used (UTC)"),
    Column("id", spare=True),
)
_BOUND = (Column("account_id"), Column("name"))


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
