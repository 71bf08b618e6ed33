"""`prorata documents`: invoices and credit notes with their VAT, for the accountant."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import typer

from models.invoices import InvoiceReason
from models.rules.currency import major
from tasks.closing.documents import Day, DocumentLevy, count, levies
from tasks.closing.one_stop_shop import Declared, declared
from tasks.closing.quarters import Quarter
from tasks.closing.sums import Sum, summed_up
from tasks.snapshot import of_one_moment
from tasks.wiring import begin, policy
from worker.commands.document_lines import list_lines
from worker.commands.document_pdfs import write_pdfs
from worker.commands.options import AsCsv, AsJson, FirstDay, LastDay, refuse_backwards, refuse_both
from worker.commands.progress_bar import by_document, progress
from worker.commands.screen import console, plain, print_json_rows
from worker.commands.sheet import print_sheet
from worker.printed_tables import Column, Rows
from worker.wiring import plug_in_from_settings

documents = typer.Typer(help="Invoices and credit notes, for VAT returns.", no_args_is_help=True)

_TAXED = (Column("country"), Column("treatment"), Column("rate", right=True))
_AMOUNTS = (Column("net", right=True), Column("VAT", right=True), Column(""))


class _Shape(Enum):
    """What a row is about. Its columns are what a line has room for."""

    LEVIES = (
        *(Column("number"), Column("reason"), Column("issued on")),
        *(Column("supplied on", spare=True), Column("declared on", spare=True), Column("buyer")),
        *(Column("VAT number", spare=True), *_TAXED, *_AMOUNTS, Column("owed", spare=True)),
    )
    SUM = (*_TAXED, *_AMOUNTS)
    SUM_BY_VAT_NUMBER = (*_TAXED, Column("VAT number"), Column("buyer"), *_AMOUNTS)
    DECLARED = (Column("corrects"), Column("country"), Column("rate", right=True), *_AMOUNTS)


WhichDate = Annotated[
    Day, typer.Option(metavar="DATE", help=f"which of a document's dates must be within: {', '.join(Day)}")
]
Reasons = Annotated[
    list[InvoiceReason] | None,
    typer.Option(metavar="REASON", help=f"only these, may be given several times: {', '.join(InvoiceReason)}"),
]
InSum = Annotated[bool, typer.Option("--sum", help="add them up by country, treatment, rate and currency")]
ByVatNumber = Annotated[
    bool, typer.Option("--by-vat-number", help="with --sum: for each of the customers' VAT numbers")
]

ForOss = Annotated[
    bool,
    typer.Option("--oss", help="with --sum: a quarter's sales for the one-stop shop, and what corrects earlier ones"),
]
_Row = DocumentLevy | Sum | Declared


@documents.command("list")
def list_documents(
    first: FirstDay,
    last: LastDay,
    by: WhichDate = Day.ISSUED,
    reason: Reasons = None,
    in_sum: InSum = False,
    by_vat_number: ByVatNumber = False,
    for_oss: ForOss = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Documents of some days: one row for each country, treatment and rate whose VAT a document states, so that rows add up to its net and VAT.

    What a document credits is a row of its own.
    """
    refuse_backwards(first, last)
    shape = _shape(in_sum=in_sum, by_vat_number=by_vat_number, for_oss=for_oss)
    refuse_both(as_json=as_json, as_csv=as_csv)
    if shape is _Shape.DECLARED:
        _refuse_all_but_a_quarter(first, last, chosen=by is not Day.ISSUED or bool(reason))
        by = Day.TAXED
    plug_in_from_settings()
    names = _names(shape)
    with begin() as session, progress(beside_rows=as_json or as_csv) as shown:
        total = count(of_one_moment(session), first, last, by=by, reasons=reason or ())
        read = levies(session, first, last, by=by, reasons=reason or (), seller=policy().seller)
        found = by_document(shown, read, total)
        rows = _rows(found, first, shape)
        if as_json:
            print_json_rows(_told(row, names) for row in rows)
        elif as_csv:
            print_sheet(names, (_told(row, names) for row in rows))
        else:
            cells = [_cells(row, shape) for row in rows]
    if not as_json and not as_csv:
        none = "Nothing was sold or corrected" if shape is _Shape.DECLARED else f"No such document was {by}"
        console().print(Rows(shape.value, cells) if cells else f"{none} from {first} to {last}.")


def _shape(*, in_sum: bool, by_vat_number: bool, for_oss: bool) -> _Shape:
    for option, given in (("--by-vat-number", by_vat_number), ("--oss", for_oss)):
        if given and not in_sum:
            raise typer.BadParameter(f"{option} goes with --sum")
    if for_oss and by_vat_number:
        raise typer.BadParameter("choose one: --oss or --by-vat-number")
    if for_oss:
        return _Shape.DECLARED
    if by_vat_number:
        return _Shape.SUM_BY_VAT_NUMBER
    return _Shape.SUM if in_sum else _Shape.LEVIES


def _refuse_all_but_a_quarter(first: date, last: date, *, chosen: bool) -> None:
    """chosen: whether by another date, or for some reasons only."""
    quarter = Quarter.of(first)
    if (quarter.first, quarter.last) != (first, last):
        raise typer.BadParameter(f"--oss needs a quarter: {quarter.first} to {quarter.last}, for example")
    if chosen:
        raise typer.BadParameter("--oss takes all documents of a quarter, without --by and --reason")


def _rows(found: Iterable[DocumentLevy], first: date, shape: _Shape) -> Iterable[_Row]:
    if shape is _Shape.DECLARED:
        return declared(found, Quarter.of(first))
    by_vat_number = shape is _Shape.SUM_BY_VAT_NUMBER
    return found if shape is _Shape.LEVIES else summed_up(found, by_vat_number=by_vat_number)


def _names(shape: _Shape) -> list[str]:
    """What a program is told of each row."""
    row = {_Shape.LEVIES: DocumentLevy, _Shape.DECLARED: Declared}.get(shape, Sum)
    left_out = ("vat_number", "buyer") if shape is _Shape.SUM else ()
    return [each.name for each in fields(row) if each.name not in left_out]


def _told(row: _Row, names: Sequence[str]) -> dict[str, Any]:
    told = asdict(row) | {"rate": None if row.rate is None else _percent(row.rate)}
    return {name: told[name] for name in names}


def _percent(rate: Decimal) -> str:
    """19.000 -> 19, 25.500 -> 25.5."""
    return f"{rate.normalize():f}"


def _taxed(row: DocumentLevy | Sum) -> tuple[str, ...]:
    return row.tax_country, row.treatment or "", _percent(row.rate)


def _amounts(row: _Row) -> tuple[str, ...]:
    return major(row.net_minor, row.currency), major(row.vat_minor, row.currency), row.currency


def _cells(row: _Row, shape: _Shape) -> tuple[str, ...]:
    if isinstance(row, Declared):
        rate = "" if row.rate is None else _percent(row.rate)
        return row.corrects_quarter or "", row.tax_country, rate, *_amounts(row)
    if isinstance(row, DocumentLevy):
        return (
            *(row.number, row.reason, str(row.issued_on), str(row.supplied_on), str(row.declared_on)),
            *(plain(row.buyer), plain(row.vat_number or ""), *_taxed(row), *_amounts(row), row.owed_status or ""),
        )
    customer = (plain(row.vat_number or ""), plain(row.buyer or "")) if shape is _Shape.SUM_BY_VAT_NUMBER else ()
    return *_taxed(row), *customer, *_amounts(row)


documents.command("lines")(list_lines)
documents.command("pdf")(write_pdfs)
