"""`prorata invoices`: what customers owe by transfer, and that it came in."""

from datetime import datetime
from typing import Annotated

import typer

from tasks.billing import receivables
from tasks.wiring import begin, now, policy
from worker.commands.exit_status import FAILED
from worker.commands.options import AsJson, By, day
from worker.commands.order_views import major
from worker.commands.screen import console, plain, print_json
from worker.tables import Column, Rows
from worker.wiring import plug_in_from_settings

_COLUMNS = (Column("invoice"), Column("account"), Column("owed", right=True), Column(""), Column("due (UTC)"))

invoices = typer.Typer(help="What is owed on invoices.", no_args_is_help=True)


def _in_capitals(number: str) -> str:
    return number.strip().upper()


@invoices.command("open")
def list_open(as_json: AsJson = False) -> None:
    """Invoices that are to be paid by transfer and are not paid yet, by due date."""
    plug_in_from_settings()
    with begin() as session:
        owed = receivables.open_sums(session)
    if as_json:
        rows = [
            {
                "number": invoice.number,
                "account": name,
                "amount_minor": sum_.amount_minor,
                "currency": sum_.currency,
                "due_at": sum_.due_at,
            }
            for sum_, invoice, name in owed
        ]
        print_json(rows)
        return
    table = [
        (invoice.number, plain(name), major(sum_.amount_minor, sum_.currency), sum_.currency, f"{sum_.due_at:%Y-%m-%d}")
        for sum_, invoice, name in owed
    ]
    console().print(Rows(_COLUMNS, table) if owed else "Nothing is owed.")


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
