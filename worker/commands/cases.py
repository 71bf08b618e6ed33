"""`prorata cases`: what customers asked for that support has to answer (a lower tier)."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from models.support_cases import SupportCase
from tasks.operating import support_desk
from tasks.wiring import begin
from worker.commands.options import AsJson, By, Why
from worker.commands.screen import console, moment, plain, print_json, tell_if_cut
from worker.printed_tables import Column, Rows
from worker.wiring import plug_in_from_settings

cases = typer.Typer(help="See and close what customers asked support for: a lower tier.", no_args_is_help=True)

Number = Annotated[
    int, typer.Argument(metavar="NUMBER", min=1, max=2**63 - 1, help="as `list` shows it", show_default=False)
]

_COLUMNS = (
    *(Column("case", right=True), Column("opened (UTC)"), Column("last asked (UTC)", spare=True), Column("account")),
    *(Column("product"), Column("from"), Column("to")),
)
_CLOSED = Column("closed (UTC)")
_TOLD = (
    *("number", "id", "account_id", "contact_id", "product_code", "from_tier", "to_tier", "seats", "text"),
    *("created_at", "asked_at", "closed_at", "closed_by", "closed_why"),
)


@cases.command("list")
def list_cases(
    closed_too: Annotated[bool, typer.Option("--all", help="closed ones too, the latest first")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="so many at most")] = 100,
    as_json: AsJson = False,
) -> None:
    """Those that are open, the oldest first."""
    plug_in_from_settings()
    with begin() as session:
        found = support_desk.listing(session, closed_too=closed_too, limit=limit)
    if as_json:
        print_json([_as_json(case, account) for case, account in found])
    elif found:
        console().print(_table(found, closed_too=closed_too))
    else:
        console().print("There was never a case." if closed_too else "No case is open.")
    tell_if_cut(len(found), limit)


@cases.command("show")
def show(number: Number, as_json: AsJson = False) -> None:
    """One with all that support has to know: what the customer has, what they wish, who asked."""
    plug_in_from_settings()
    with begin() as session:
        case, account = support_desk.find(session, number)
    if as_json:
        print_json(_as_json(case, account))
    else:
        console().print(*_told(case), sep="\n")


@cases.command("close")
def close(
    number: Number,
    why: Why,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Say that support has answered it. It stays closed; the same wish opens another case."""
    plug_in_from_settings()
    with begin() as session:
        case = support_desk.close(session, number, by=by, why=why)
    if as_json:
        print_json({"number": number, "closed_at": case.closed_at, "closed_by": case.closed_by})
    else:  # so that whoever read it before the customer asked again sees that
        typer.echo(f"Case {number}, last asked for at {moment(case.asked_at)} UTC, is closed.")


def _table(found: Sequence[tuple[SupportCase, str]], *, closed_too: bool) -> Rows:
    cells = [
        (
            *(str(case.number), moment(case.created_at), moment(case.asked_at), plain(account)),
            *(plain(case.product_code), plain(case.from_tier), plain(case.to_tier)),
            *([moment(case.closed_at) if case.closed_at else ""] if closed_too else []),
        )
        for case, account in found
    ]
    return Rows((*_COLUMNS, _CLOSED) if closed_too else _COLUMNS, cells)


def _told(case: SupportCase) -> Iterator[str]:
    opened, asked = moment(case.created_at), moment(case.asked_at)
    yield f"[bold]Case {case.number}[/]  opened {opened} UTC, last asked for {asked} UTC"
    yield f"account {case.account_id}"
    yield from (plain(line) for line in case.text.split("\n"))
    if case.closed_at:
        told = f" by {plain(case.closed_by)}: {plain(case.closed_why or '')}" if case.closed_by else ""
        yield f"closed {moment(case.closed_at)} UTC{told}"


def _as_json(case: SupportCase, account: str) -> dict[str, object]:
    return {name: getattr(case, name) for name in _TOLD} | {"account": account}
