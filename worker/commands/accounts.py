"""`prorata accounts list`: the ids that an upstream quotes and orders with."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from models.accounts import Account
from models.any_locale import may_contain
from tasks.wiring import begin
from worker.commands import loading
from worker.commands.options import AsJson
from worker.commands.screen import console, plain, print_json, tell_if_cut
from worker.printed_tables import Column, Rows
from worker.wiring import plug_in_from_settings

accounts = loading.accounts


@accounts.command("list")
def list_accounts(
    containing: Annotated[str, typer.Argument(metavar="TEXT", help="part of the name; default: all accounts")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="at most this many")] = 100,
    as_json: AsJson = False,
) -> None:
    """Accounts by name, with the ids of theirs and of their contacts: a quote asks for both."""
    plug_in_from_settings()
    query = select(Account).order_by(Account.name, Account.id).options(selectinload(Account.contacts)).limit(limit)
    with begin() as session:
        if containing:
            query = query.where(Account.id.in_(_named(session, containing)[:limit]))
        found = session.scalars(query).all()
    if as_json:
        print_json([_as_json(account) for account in found])
    else:
        console().print(_table(found) if found else _nobody(containing))
    tell_if_cut(len(found), limit)


def _named(session: Session, part: str) -> list[UUID]:
    """By name, capitals or not."""
    names = select(Account.id, Account.name).where(may_contain(Account.name, part)).order_by(Account.name, Account.id)
    return [found for found, name in session.execute(names) if part.lower() in name.lower()]


def _nobody(containing: str) -> str:
    return "There is no such account." if containing else "No accounts yet: prorata accounts load FILE."


_COLUMNS = [
    Column(each) for each in ("account_id", "name", "country", "currency", "contact_id", "contact", "may order")
]


def _table(found: Sequence[Account]) -> Rows:
    rows = []
    for account in found:
        for number, contact in enumerate(account.contacts or [None]):
            own = (
                (str(account.id), plain(account.name), account.country, account.currency) if number == 0 else ("",) * 4
            )
            who = (
                (str(contact.id), plain(contact.name), "yes" if contact.is_billing_contact else "no")
                if contact
                else ("",) * 3
            )
            rows.append((*own, *who))
    return Rows(_COLUMNS, rows)


def _as_json(account: Account) -> dict[str, object]:
    return {
        "id": str(account.id),
        "name": account.name,
        "country": account.country,
        "currency": account.currency,
        "contacts": [
            {"id": str(each.id), "name": each.name, "email": each.email, "is_billing_contact": each.is_billing_contact}
            for each in account.contacts
        ],
    }
