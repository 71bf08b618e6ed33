"""`prorata invoices`: what customers owe by transfer, that it came in or after all did not, and which numbers a lost database had given."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Annotated, Any

import typer

from models.invoice_numbers import InvoiceNumber
from models.lost_numbers import LostNumbers
from models.rules.currency import format_amount, major
from tasks.billing import lost_documents, receivables, unpaid
from tasks.closing.open_invoices import OpenInvoice, open_invoices, totals
from tasks.wiring import begin, now, policy
from worker.commands.options import AsCsv, AsJson, By, PastDay, Why, day, refuse_both, refuse_future
from worker.commands.screen import console, moment, plain, print_json
from worker.commands.sheet import print_sheet
from worker.printed_tables import Column, Rows
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

_LOST = (
    *(Column("first"), Column("last"), Column("numbers", right=True), Column("recorded (UTC)"), Column("by")),
    Column("why"),
)

invoices = typer.Typer(help="What is owed on invoices, and which numbers were lost.", no_args_is_help=True)


def _in_capitals(number: str) -> str:
    return number.strip().upper()


@invoices.command("open")
def list_open(on: PastDay = None, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Invoices that are to be paid by transfer and are not paid, by due date, and what they amount to."""
    refuse_both(as_json=as_json, as_csv=as_csv)
    plug_in_from_settings()
    seller = policy().seller
    today = seller.day(now())
    refuse_future(on, today)
    with begin() as session:
        owed = open_invoices(session, today=today, on=on, seller=seller)
    if as_json:
        print_json([asdict(each) for each in owed])
    elif as_csv:
        print_sheet([each.name for each in fields(OpenInvoice)], [asdict(each) for each in owed])
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


_Number = Annotated[
    str,
    typer.Argument(
        metavar="NUMBER", callback=_in_capitals, help="the invoice's, e.g. INV-2026-000001", show_default=False
    ),
]


@invoices.command("paid")
def paid(
    number: _Number,
    by: By,
    on: Annotated[
        datetime | None, typer.Option(parser=day, metavar="DAY", help="the day it came in; default: today")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record that an invoice was paid in full. `prorata invoices unpaid` withdraws that."""
    plug_in_from_settings()
    paid_at = on or now()
    with begin() as session:
        owed = receivables.mark_paid(session, number, on=paid_at, by=by)
    if as_json:
        paid_sum = {"amount_minor": owed.amount_minor, "currency": owed.currency}
        print_json({"number": number, **paid_sum, "paid_at": owed.settled_at})
        return
    sum_ = format_amount(owed.amount_minor, owed.currency)
    typer.echo(f"{number}: {sum_} paid on {policy().seller.day(paid_at)}.")


@invoices.command("unpaid")
def not_paid(
    number: _Number,
    why: Why,
    by: By,
    on: Annotated[
        datetime | None,
        typer.Option(
            parser=day,
            metavar="DAY",
            help="since when it is not paid: the day on which the bank took it back, or the one it was booked on; default: today",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw what `prorata invoices paid` recorded: the transfer was for another invoice, or the bank called it back. The sum is owed again.

    Nothing else changes, and the invoice may be recorded as paid again.
    """
    plug_in_from_settings()
    with begin() as session:
        withdrawn = unpaid.mark_unpaid(session, number, on=on or now(), by=by, why=why)
    if as_json:
        print_json({"number": number, **asdict(withdrawn)})
        return
    seller, currency = policy().seller, withdrawn.currency
    sum_ = format_amount(withdrawn.amount_minor, currency)
    days = f"paid on {seller.day(withdrawn.paid_at)}, withdrawn on {seller.day(withdrawn.unpaid_at)}"
    total = format_amount(withdrawn.owed_minor, currency)
    typer.echo(f"{number}: {sum_} {days}. {withdrawn.owed_on} is open: {total} owed.")


def _number(text: str) -> InvoiceNumber:
    number = InvoiceNumber.read(_in_capitals(text))
    if number is None:
        raise typer.BadParameter("must be a number like INV-2026-000001")
    return number


@invoices.command("lost")
def lost(
    first: Annotated[
        InvoiceNumber,
        typer.Argument(
            parser=_number, metavar="FIRST", help="the first lost number, e.g. INV-2026-000019", show_default=False
        ),
    ],
    why: Why,
    by: By,
    last: Annotated[
        InvoiceNumber | None,
        typer.Argument(parser=_number, metavar="LAST", help="the last one of the same series and year; default: FIRST"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record that numbers were given, or skipped, and their documents are not here: after a restore from an older backup. This cannot be undone.

    `prorata ledger verify` then counts them as explained. Credit notes (CN-2026-000001) have numbers of their own.
    """
    plug_in_from_settings()
    with begin() as session:
        recorded = lost_documents.record_loss(session, first, last or first, by=by, why=why)
    if as_json:
        print_json(_as_json(recorded))
        return
    numbers = recorded.last - recorded.first + 1
    typer.echo(f"Recorded as lost ({numbers} in all): {plain(lost_documents.told(recorded))}")


@invoices.command("losses")
def losses(as_json: AsJson = False) -> None:
    """All numbers recorded as lost, by whom, when and why."""
    plug_in_from_settings()
    with begin() as session:
        found = lost_documents.losses(session)
    if as_json:
        print_json([_as_json(each) for each in found])
        return
    console().print(_records(found) if found else "No number is recorded as lost.")


def _as_json(loss: LostNumbers) -> dict[str, Any]:
    first, last = lost_documents.ends(loss)
    recorded = {name: getattr(loss, name) for name in ("recorded_at", "recorded_by", "recorded_why")}
    return {"first": str(first), "last": str(last), **recorded}


def _records(found: Sequence[LostNumbers]) -> Rows:
    rows = [
        (
            *(str(end) for end in lost_documents.ends(each)),
            *(
                str(each.last - each.first + 1),
                moment(each.recorded_at),
                plain(each.recorded_by),
                plain(each.recorded_why),
            ),
        )
        for each in found
    ]
    return Rows(_LOST, rows)
