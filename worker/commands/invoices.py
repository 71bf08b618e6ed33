"""`prorata invoices`: what customers owe by transfer, and that it came in."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from tasks.billing import receivables
from tasks.closing.open_invoices import OpenInvoice, open_invoices, totals
from tasks.wiring import begin, now, policy
from worker.commands.exit_status import FAILED
from worker.commands.options import AsJson, By, PastDay, day, refuse_future
from worker.commands.order_views import major
from worker.commands.screen import console, plain, print_json
from worker.tables import Column, Rows
from worker.wiring import plug_in_from_settings

_COLUMNS = (
    *(Column("invoice"), Column("issued on", spare=True), Column("due on"), Column("days overdue", right=True)),
    *(Column("account"), Column("account_id", spare=True), Column("order", spare=True)),
    *(Column("owed", right=True), Column(""), Column("balance", right=True)),
)
_TOTALS = (
    *(Column("currency"), Column("invoices", right=True)),
    *(Column("owed", right=True), Column("of it overdue", right=True)),
)

invoices = typer.Typer(help="What is owed on invoices.", no_args_is_help=True)


def _in_capitals(number: str) -> str:
    return number.strip().upper()


@invoices.command("open")
def list_open(on: PastDay = None, as_json: AsJson = False) -> None:
    """Invoices that are to be paid by transfer and are not paid, by due date, and what they amount to."""
    plug_in_from_settings()
    seller = policy().seller
    today = seller.day(now())
    refuse_future(on, today)
    with begin() as session:
        owed = open_invoices(session, today=today, on=on, seller=seller)
    if as_json:
        print_json([asdict(each) for each in owed])
    elif not owed:
        console().print("Nothing is owed." if on is None else f"Nothing was owed on {on}.")
    else:
        console().print(_table(owed), "", _totals(owed), sep="\n")


def _table(owed: Sequence[OpenInvoice]) -> Rows:
    cells = [
        (
            *(each.number, str(each.issued_on), str(each.due_on), str(each.days_overdue or "")),
            *(plain(each.account), str(each.account_id), each.order_number),
            *(major(each.amount_minor, each.currency), each.currency, major(each.balance_minor, each.currency)),
        )
        for each in owed
    ]
    return Rows(_COLUMNS, cells)


def _totals(owed: Sequence[OpenInvoice]) -> Rows:
    cells = [
        (
            *(each.currency, str(each.invoices)),
            *(major(each.amount_minor, each.currency), major(each.overdue_minor, each.currency)),
        )
        for each in totals(owed)
    ]
    return Rows(_TOTALS, cells)


@invoices.command("paid")
def paid(
    number: Annotated[
        str,
        typer.Argument(
            metavar="NUMBER", callback=_in_capitals, help="the invoice's, e.g. INV-2026-000001", show_default=False
        ),
    ],
    by: By,
    on: Annotated[
        datetime | None, typer.Option(parser=day, metavar="DAY", help="the day it came in; default: today")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record that an invoice was paid in full. This cannot be undone: check the number."""
    plug_in_from_settings()
    paid_at = on or now()
    try:
        with begin() as session:
            owed = receivables.mark_paid(session, number, on=paid_at, by=by)
    except (receivables.NothingOwed, receivables.WrongDay) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from None
    if as_json:
        paid_sum = {"amount_minor": owed.amount_minor, "currency": owed.currency}
        print_json({"number": number, **paid_sum, "paid_at": owed.settled_at})
        return
    sum_ = f"{major(owed.amount_minor, owed.currency)} {owed.currency}"
    typer.echo(f"{number}: {sum_} paid on {policy().seller.day(paid_at)}.")
