"""`prorata ledger`: an account's balance, movement by movement, and whether everything about money agrees, here and with the provider."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from models import ledger as movements
from models.books_checks import Compared, record_books_check
from models.ledger import LedgerMovement
from models.rules.currency import major
from tasks.closing.balances import Balance, Total, balances, totals
from tasks.errors import ENDS_EARLY, NO_DATABASE
from tasks.ledger_check.differences import Difference
from tasks.ledger_check.verify import step_by_step, steps
from tasks.reconciliation.reconcile import Reconciled
from tasks.reconciliation.reconcile import reconcile as ask_provider
from tasks.snapshot import of_one_moment
from tasks.wiring import begin, now, policy
from worker.commands.exit_status import FAILED
from worker.commands.options import AsCsv, AsJson, PastDay, refuse_both, refuse_future, time_in_utc
from worker.commands.progress_bar import progress
from worker.commands.screen import console, moment, plain, print_json
from worker.commands.sheet import print_sheet
from worker.commands.which_account import account_named
from worker.printed_tables import Column, Rows
from worker.wiring import plug_in_from_settings

ledger = typer.Typer(help="See and check balances and books.", no_args_is_help=True)

IN_UTC = "in UTC, as 2026-11-01 or 2026-11-01T14:30"
UNDER_WAY = timedelta(minutes=15)
"""a charge or refund younger than this may not be recorded here yet"""
FIRST_YEAR = 2000
USUAL = timedelta(days=2)
"""run every day, it sees each charge twice: one that still awaited authentication the first time is settled the second"""

Which = Annotated[
    str, typer.Argument(metavar="ACCOUNT", help="its code from the accounts file, or its id", show_default=False)
]


@ledger.command("show")
def show(which: Which, as_json: AsJson = False) -> None:
    """The balance of an account, and every movement that made it."""
    plug_in_from_settings()
    with begin() as session:
        account = account_named(session, which)
        rows = movements.movements(session, account.id)
    if as_json:
        print_json([_as_json(row) for row in rows])
        return
    where = console()
    where.print(f"[bold]{plain(account.name)}[/]  {account.id}")
    where.print(_table(rows) if rows else "No movements: the balance is zero.")


@ledger.command("balances")
def list_balances(
    on: PastDay = None,
    totals_only: Annotated[bool, typer.Option("--totals", help="only the total of each currency")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """The balance of every account that ever had one, how much of it a person granted, and the total of each currency: what is owed to customers."""
    refuse_both(as_json=as_json, as_csv=as_csv)
    plug_in_from_settings()
    seller = policy().seller
    refuse_future(on, seller.day(now()))
    with begin() as session:
        of_one_moment(session)
        added = totals(session, on, seller=seller)
        held = [] if totals_only else balances(session, on, seller=seller)
    told: Sequence[Balance | Total] = added if totals_only else held
    if as_json:
        print_json([asdict(each) for each in told])
    elif as_csv:
        names = [each.name for each in fields(Total if totals_only else Balance)]
        print_sheet(names, [asdict(each) for each in told])
    elif not added:
        console().print(
            "No account ever had a balance." if on is None else f"No account had ever had a balance on {on}."
        )
    else:
        console().print(*([_balances(held), ""] if held else []), _totals(added), sep="\n")


@ledger.command("verify")
def check(
    account: Annotated[str | None, typer.Option(help="only this one: code from the accounts file, or id")] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute everything about money from what happened; each difference is named, and the exit status is 1 if there is one.

    What a customer's bank has taken back and has not decided about is named apart, and does not count.
    """
    plug_in_from_settings()
    with begin() as session:
        account_id = account_named(session, account).id if account is not None else None
    found = _verified(account_id)
    waiting = [difference for difference in found if difference.waits]
    wrong = [difference for difference in found if not difference.waits]
    if as_json:
        print_json([asdict(difference) for difference in found])
    else:
        agrees = "Everything else agrees." if waiting else "Everything agrees."
        where = console()
        where.print(_differences(wrong) if wrong else f"[green]{agrees}[/]")
        if waiting:
            where.print(_rows(waiting, title=f"{len(waiting)} not counted, as a customer's bank has not decided yet"))
    if account_id is None:
        _record(Compared.VERIFY, wrong)
    if wrong:
        raise typer.Exit(FAILED)


def _verified(account_id: UUID | None) -> list[Difference]:
    """Where it ends early, what was found before is told on standard error: there no program takes it for all that there is."""
    found: list[Difference] = []
    checked = total = 0
    try:
        with begin() as session, progress() as shown:
            total = steps(of_one_moment(session), account_id)
            for differences in shown.track(step_by_step(session, account_id), total, description="checking"):
                found += differences
                checked += 1
    except (KeyboardInterrupt, *NO_DATABASE):
        if found:
            console(stderr=True).print(_differences(found))
        if account_id is None and total:
            parts = f"{checked} of {total - 1} accounts, and not the numbers of documents"
            typer.echo(f"Incomplete: checked were {parts}.", err=True)
        raise
    return found


Since = Annotated[
    datetime | None,
    typer.Option(parser=time_in_utc, metavar="TIME", help=f"{IN_UTC}; default: two days before --until"),
]
Until = Annotated[
    datetime | None, typer.Option(parser=time_in_utc, metavar="TIME", help=f"{IN_UTC}; default: 15 minutes ago")
]


@ledger.command("reconcile")
def reconcile(since: Since = None, until: Until = None, as_json: AsJson = False) -> None:
    """Compare the payment provider's charges, refunds and disputes of a period with what is recorded here; exit status 1 if anything differs."""
    now = datetime.now(UTC).replace(microsecond=0)
    start, end = _period(since, until, now)
    plug_in_from_settings()
    found = _reconciled(start, end)
    if as_json:
        print_json({"since": start, "until": end, **asdict(found)})
    else:
        where = console()
        where.print(
            f"From {moment(start)} to {moment(end)} UTC: {found.charges} charges, {found.refunds} refunds of them, "
            f"{found.disputes} disputes."
        )
        if until is None:
            how = "see --until" if found.charges else f"include it with --until {now:%Y-%m-%dT%H:%M:%SZ}"
            where.print(f"Anything more recent is left out, as it may not be recorded yet: {how}.")
        if found.of_others:
            where.print(f"Left out, as their metadata names no order of Prorata's: {found.of_others} charges.")
        where.print(_differences(found.differences) if found.differences else "[green]Everything agrees.[/]")
    if until is None and start <= end - USUAL:
        _record(Compared.RECONCILE, found.differences)
    if found.differences:
        raise typer.Exit(FAILED)


def _reconciled(start: datetime, end: datetime) -> Reconciled:
    """Where it ends early, see `_verified`."""
    found = Reconciled()
    try:
        with Console(stderr=True).status("asking the payment provider") as status:
            return ask_provider(start, end, found=found, say=status.update)
    except ENDS_EARLY:
        if found.differences:
            console(stderr=True).print(_differences(found.differences))
        if found != Reconciled():
            parts = f"{found.charges} charges, {found.refunds} refunds of them and {found.disputes} disputes"
            typer.echo(f"Incomplete: compared were {parts}; there may be more.", err=True)
        raise


def _period(since: datetime | None, until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """Its beginning and its end. Raises BadParameter."""
    end = until or now - UNDER_WAY
    if end.year < FIRST_YEAR:
        raise typer.BadParameter(f"must be {FIRST_YEAR} or later", param_hint="--until")
    start = since or end - USUAL
    if start >= end:
        raise typer.BadParameter(f"must be before the end, {moment(end)} UTC (--until)", param_hint="--since")
    if start > now:
        hint = "--since" if since else "--until"
        raise typer.BadParameter(f"nothing has happened yet from {moment(start)} UTC on", param_hint=hint)
    return start, end


def _record(name: Compared, found: Sequence[Difference]) -> None:
    """For the metrics. What was found is told already, and remains the exit status where this cannot be written (to a standby, say)."""
    try:
        with begin() as session:
            record_books_check(session, name, differences=len(found))
    except SQLAlchemyError as error:
        typer.echo(f"Not recorded for the metrics: {error}", err=True)


_MOVED = (
    *(Column(heading) for heading in ("at (UTC)", "what", "cause", "step")),
    *(Column("amount", right=True), Column("balance", right=True), Column("")),
)
_DIFFERS = [Column(heading) for heading in ("check", "where", "what", "should be", "is")]


def _table(rows: Sequence[LedgerMovement]) -> Rows:
    cells = []
    for row in rows:
        amounts = (major(minor, row.currency) for minor in (row.amount_minor, row.balance_minor))
        cells.append((moment(row.created_at), row.kind, plain(row.cause), plain(row.step), *amounts, row.currency))
    return Rows(_MOVED, cells)


_HELD = (Column("balance", right=True), Column(""), Column("granted", right=True))


def _balances(found: Sequence[Balance]) -> Rows:
    cells = [(plain(each.account), str(each.account_id), *_held(each)) for each in found]
    return Rows((Column("account"), Column("account_id"), *_HELD), cells)


def _totals(found: Sequence[Total]) -> Rows:
    return Rows(_HELD, [_held(each) for each in found], title="Total")


def _held(of: Balance | Total) -> tuple[str, ...]:
    return major(of.balance_minor, of.currency), of.currency, major(of.granted_minor, of.currency)


def _differences(found: Sequence[Difference]) -> Rows:
    return _rows(found, title=f"{len(found)} {'difference' if len(found) == 1 else 'differences'}")


def _rows(found: Sequence[Difference], *, title: str) -> Rows:
    cells = [[plain(each) for each in (d.check.value, d.where, d.what, d.expected, d.found)] for d in found]
    return Rows(_DIFFERS, cells, title=title)


def _as_json(row: LedgerMovement) -> dict[str, object]:
    return {column.key: getattr(row, column.key) for column in LedgerMovement.__mapper__.column_attrs}
