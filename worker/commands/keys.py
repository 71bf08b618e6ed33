"""`prorata keys`: let upstreams in, see who may come in and what happened to their keys, and shut them out."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.accounts import Account
from models.api_keys import ApiKeyChange
from models.cart_facts import UnknownAccount
from tasks.snapshot import of_one_moment
from tasks.upstream import api_keys
from tasks.upstream.api_keys import IssuedKey, KeyRefused, Scope, UnknownKey
from tasks.upstream.key_history import NAMED, history, told
from tasks.wiring import begin
from worker.commands.key_views import bound_table, changes_as_json, history_table, key_as_json, keys_table
from worker.commands.options import AsJson, By, WhyIfKnown
from worker.commands.screen import console, print_json
from worker.commands.standard_output import NotWritten
from worker.loading.accounts_file import account_called
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
    by: By,
    why: WhyIfKnown = None,
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
    if sys.stdout is None:  # Python's, where it was closed before the start
        raise NotWritten("Standard output is closed, and the key is shown nowhere else: none was issued.")
    plug_in_from_settings()
    with begin() as session:
        ids = _ids(session, account) if account else None
        if session.scalar(select(Account.id).limit(1)) is None:
            raise KeyRefused(
                "there are no accounts yet, and a key is bound to existing ones; run prorata accounts load FILE first"
            )
        issued = api_keys.issue(
            session, name=name, scopes=scope or list(Scope), account_ids=ids, by=by, why=why, key=key
        )
        if as_json:
            made, recorded = _called(session, name), told(session, issued.changes)
            print_json({"key": issued.key, **asdict(made), "recorded": changes_as_json(recorded)})
        else:
            typer.echo(issued.key)
        sys.stdout.flush()  # in the same transaction: a key that is made, and not shown, is lost
    if not issued.changes and not as_json:
        typer.echo(f"The key {name!r} was issued like this before; nothing is recorded.", err=True)


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
            keys_table(rows) if rows else "No keys: nobody can come in. To let an upstream in: prorata keys issue NAME."
        )


@keys.command("show")
def show_key(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="at most this many accounts")] = NAMED,
    as_json: AsJson = False,
) -> None:
    """One key, with the accounts that it may act for, and what happened to it: what, for which accounts, by whom and why. Never the key."""
    plug_in_from_settings()
    with begin() as session:
        row = _called(of_one_moment(session), name)
        bound = api_keys.accounts_of(session, row.id, at_most=limit)
        past = history(session, row.id, at_most=limit)
    if as_json:
        print_json(key_as_json(row, bound) | {"history": changes_as_json(past)})
    else:
        tables = [keys_table([row]), *([bound_table(bound)] if bound else []), history_table(past)]
        for number, table in enumerate(tables):
            console().print(*([""] if number else []), table, sep="\n")
    most = max([row.accounts, *(each.accounts_in_all or 0 for each in past)])
    if most > limit:
        typer.echo(f"The first {limit} of {most} accounts: see --limit.", err=True)


@keys.command("allow")
def allow_accounts(name: Name, account: Accounts, by: By, why: WhyIfKnown = None, as_json: AsJson = False) -> None:
    """Let a key act for these accounts too, from the next request on. It keeps the accounts that it has."""
    plug_in_from_settings()
    with begin() as session:
        change = api_keys.allow(session, name=name, account_ids=_ids(session, account), by=by, why=why)
        row, answer = _changed(session, name, change, as_json=as_json)
    if as_json:
        print_json(answer)
    else:
        new = f"{len(change.accounts)} of them new" if change else "none of them new; nothing is recorded"
        typer.echo(f"The key {name!r} may act for {_counted(row)}, {new}.")


@keys.command("disallow")
def disallow_accounts(name: Name, account: Accounts, by: By, why: WhyIfKnown = None, as_json: AsJson = False) -> None:
    """Let a key no longer act for these accounts, from the next request on. Streams of events that are open end within a second."""
    plug_in_from_settings()
    with begin() as session:
        change = api_keys.disallow(session, name=name, account_ids=_ids(session, account), by=by, why=why)
        row, answer = _changed(session, name, change, as_json=as_json)
    if as_json:
        print_json(answer)
    else:
        than_before = f"{len(change.accounts)} fewer than before" if change else "as before; nothing is recorded"
        typer.echo(f"The key {name!r} may act for {_counted(row)}, {than_before}.")


@keys.command("revoke")
def revoke_key(name: Name, by: By, why: WhyIfKnown = None, as_json: AsJson = False) -> None:
    """Refuse this key from the next request on. It cannot be undone; issue another under another name."""
    plug_in_from_settings()
    with begin() as session:
        change = api_keys.revoke(session, name=name, by=by, why=why)
        _, answer = _changed(session, name, change, as_json=as_json)
    if as_json:
        print_json(answer)
        return
    typer.echo(f"The key {name!r} is refused from now on.")


def _ids(session: Session, named: Sequence[str]) -> list[UUID]:
    """Of the accounts that a person names by code or id. Raises UnknownAccount, which names those that there are not."""
    wanted = {each: account_called(each) for each in named}
    there = set(session.scalars(select(Account.id).where(Account.id.in_(wanted.values()))))
    if unknown := [each for each, account_id in wanted.items() if account_id not in there]:
        raise UnknownAccount(f"there is no account {', '.join(unknown)}")
    return sorted(there)


def _called(session: Session, name: str) -> IssuedKey:
    """Raises UnknownKey."""
    found = next((each for each in api_keys.issued(session) if each.name == name), None)
    if found is None:
        raise UnknownKey(f"there is no key called {name!r}")
    return found


def _changed(
    session: Session, name: str, change: ApiKeyChange | None, *, as_json: bool
) -> tuple[IssuedKey, dict[str, Any]]:
    """The key as it is now, and what a program is told of it, if one asks."""
    row = _called(session, name)
    if not as_json:
        return row, {}
    recorded = told(session, [change] if change else [])
    answer = key_as_json(row, api_keys.accounts_of(session, row.id))
    return row, answer | {"recorded": changes_as_json(recorded)}


def _counted(row: IssuedKey) -> str:
    return f"{row.accounts} account{'' if row.accounts == 1 else 's'}"
