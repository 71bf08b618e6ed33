"""`prorata people`: what is held about a person, and its erasure (GDPR, articles 15, 17 and 20)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Annotated, Any

import typer
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import select

from models.erasures import Erasure
from tasks.personal_data import erasure, holdings
from tasks.personal_data.erasure import Erased
from tasks.personal_data.holdings import HOLDINGS
from tasks.personal_data.telling import Told
from tasks.snapshot import of_one_moment
from tasks.wiring import begin
from worker.commands.options import AsJson, By, WhyIfKnown
from worker.commands.screen import console, moment, plain, print_json, print_json_lists, tell_if_cut
from worker.printed_tables import Column, Rows
from worker.wiring import plug_in_from_settings

people = typer.Typer(help="Show and erase what is held about a person, by email address.", no_args_is_help=True)


def _address(text: str) -> str:
    """As the tables have it: compared in lower case. Raises BadParameter."""
    try:
        return validate_email(text.strip(), check_deliverability=False, test_environment=True).normalized.lower()
    except EmailNotValidError as error:
        raise typer.BadParameter(f"is no email address: {error}") from None


Email = Annotated[str, typer.Argument(metavar="EMAIL", callback=_address, show_default=False)]

NOTHING = "Nothing is held under this address. If it should be, check how it is spelt; one that was erased is not known any more."
ELSEWHERE = (
    "Not looked at: your accounts files (`prorata accounts load` may bring a contact back whom a file still names), "
    "the mail server, backups, what people typed as --why (other than of `prorata cases close`) or --by, names of API keys"
)


@people.command("show")
def show(
    email: Email,
    as_json: Annotated[
        bool, typer.Option("--json", help="with the notifications' bodies, to be handed over, or for a program")
    ] = False,
) -> None:
    """What is held about a person; the timelines of their orders are in `prorata orders show`."""
    plug_in_from_settings()
    with begin() as session:
        told = holdings.told(of_one_moment(session), email)
        if as_json:
            print_json_lists({"email": email}, told)
            return
        tables = [_table(name, first, rows) for name, rows in told if (first := next(rows, None))]
    for table in tables:
        console().print(table)
        typer.echo()
    if not tables:
        typer.echo(NOTHING)


@people.command("erase")
def erase(
    email: Email,
    by: By,
    why: WhyIfKnown = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what it would do")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a person unrecognizable wherever the law does not require the data; the answer names what stays. It cannot be undone."""
    plug_in_from_settings()
    if dry_run:
        done = erasure.preview(email)
    elif why is None:
        raise typer.BadParameter("say why, which is kept with the record: --why TEXT")
    else:
        done = erasure.erase(email, by=by, why=why)
    if as_json:
        print_json(_as_json(done))
    elif any(done.rows.values()) or any(done.stays.values()):
        console().print(_summary(done, dry_run=dry_run))
        for line in _advice(done):
            typer.echo(line)
    else:
        typer.echo(NOTHING)


@people.command("erasures")
def erasures(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="at most this many")] = 100, as_json: AsJson = False
) -> None:
    """Who was erased by whom, when and why, the latest first: by the ids of their rows, because the address is not kept."""
    plug_in_from_settings()
    with begin() as session:
        found = session.scalars(select(Erasure).order_by(Erasure.id.desc()).limit(limit)).all()
    if as_json:
        names = ("id", "erased_at", "erased_by", "erased_why", "rows")
        print_json([{name: getattr(each, name) for name in names} for each in found])
    elif found:
        console().print(_records(found))
    else:
        typer.echo("Nobody was erased.")
    tell_if_cut(len(found), limit)


def _table(title: str, first: Told, others: Iterable[Told]) -> Rows:
    """Without what fills a screen by itself; JSON has it."""
    names = [name for name in first if name != "payload"]
    columns = [Column(f"{name} (UTC)" if name.endswith("_at") else name) for name in names]
    return Rows(columns, [[_cell(row[name]) for name in names] for row in chain((first,), others)], title)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return moment(value)
        case dict():
            return _cell(list(value.values()))
        case list():
            return ", ".join(_cell(each) for each in value if each)
        case _:
            return plain(str(value))


def _summary(done: Erased, *, dry_run: bool) -> Rows:
    erased = "would be erased" if dry_run else "erased"
    cells = [
        (kind.name, str(count), kind.what, erased if kind.erase else f"stays: {kind.stays}")
        for kind in HOLDINGS
        if (count := _count(done, kind.name))
    ]
    return Rows((Column("data"), Column("rows", right=True), Column("what"), Column("outcome")), cells)


def _count(done: Erased, name: str) -> int:
    return len(done.rows[name]) if name in done.rows else done.stays[name]


def _advice(done: Erased) -> Iterator[str]:
    if done.erasure_id:
        yield f"Recorded as erasure {done.erasure_id}."
    if done.customers:
        yield f"Stripe may have the address with customer {', '.join(done.customers)}: remove it there."
    yield f"{ELSEWHERE}."


def _as_json(done: Erased) -> dict[str, Any]:
    return {
        "erasure_id": done.erasure_id,
        "erased": done.rows,
        "stays": {
            kind.name: {"rows": done.stays[kind.name], "because": kind.stays} for kind in HOLDINGS if not kind.erase
        },
        "stripe_customers": done.customers,
    }


def _records(found: Sequence[Erasure]) -> Rows:
    columns = (Column("erasure"), Column("at (UTC)"), Column("by"), Column("rows"), Column("why"))
    cells = [
        (
            *(str(each.id), moment(each.erased_at), plain(each.erased_by)),
            *(", ".join(f"{name} {len(ids)}" for name, ids in each.rows.items()), plain(each.erased_why)),
        )
        for each in found
    ]
    return Rows(columns, cells)
