"""`prorata documents lines`: for what period each line of a document is, for deferred income."""

from dataclasses import asdict, fields

from models.rules.currency import major
from tasks.closing.document_lines import DocumentLine, document_lines
from tasks.closing.document_pdfs import count
from tasks.snapshot import of_one_moment
from tasks.wiring import begin
from worker.commands.options import AsCsv, AsJson, FirstDay, LastDay, refuse_backwards, refuse_both
from worker.commands.progress_bar import by_document, progress
from worker.commands.screen import console, plain, print_json_rows
from worker.commands.sheet import print_sheet
from worker.printed_tables import Column, Rows
from worker.wiring import plug_in_from_settings

_COLUMNS = (
    *(Column("number"), Column("issued on", spare=True), Column("buyer", spare=True), Column("product")),
    *(Column("tier"), Column("seats", right=True), Column("from"), Column("to")),
    *(Column("net", right=True), Column("VAT", right=True), Column(""), Column("amends")),
)


def list_lines(first: FirstDay, last: LastDay, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """What the documents issued on some days charge and credit, line by line, each with its period."""
    refuse_backwards(first, last)
    refuse_both(as_json=as_json, as_csv=as_csv)
    plug_in_from_settings()
    with begin() as session, progress(beside_rows=as_json or as_csv) as shown:
        total = count(of_one_moment(session), first, last)
        found = by_document(shown, document_lines(session, first, last), total)
        if as_json:
            print_json_rows(asdict(each) for each in found)
        elif as_csv:
            print_sheet([each.name for each in fields(DocumentLine)], (asdict(each) for each in found))
        else:
            cells = [_cells(each) for each in found]
    if not as_json and not as_csv:
        console().print(Rows(_COLUMNS, cells) if cells else f"No document was issued from {first} to {last}.")


def _cells(line: DocumentLine) -> tuple[str, ...]:
    return (
        *(line.number, str(line.issued_on), plain(line.buyer), plain(line.product), plain(line.tier), str(line.seats)),
        *(str(line.from_on), str(line.to_on or "")),
        *(major(line.net_minor, line.currency), major(line.vat_minor, line.currency), line.currency),
        line.amends or "",
    )
