"""`prorata documents pdf`: writes documents into a folder, as the PDFs that customers got."""

from pathlib import Path
from typing import Annotated

import typer

from tasks.closing.document_pdfs import count, document_pdfs
from tasks.ports import Attachment
from tasks.snapshot import of_one_moment
from tasks.wiring import begin
from worker.commands.exit_status import FAILED
from worker.commands.options import AsJson, FirstDay, LastDay, refuse_backwards
from worker.commands.progress_bar import progress
from worker.commands.screen import print_json
from worker.commands.standard_output import NotWritten
from worker.wiring import plug_in_from_settings

Folder = Annotated[
    Path,
    typer.Option("--into", file_okay=False, metavar="FOLDER", help="made if it is not there", show_default=False),
]


def write_pdfs(first: FirstDay, last: LastDay, into: Folder, as_json: AsJson = False) -> None:
    """Write the documents issued on some days, each as NUMBER.pdf. No file is overwritten; exit status 1 if one is there with another content."""
    refuse_backwards(first, last)
    plug_in_from_settings()
    told: dict[str, list[str]] = {"written": [], "already_there": [], "differs": []}
    try:
        into.mkdir(parents=True, exist_ok=True)
        with begin() as session, progress() as shown:
            total = count(of_one_moment(session), first, last)
            for pdf in shown.track(document_pdfs(session, first, last), total, description="writing"):
                told[_write(pdf, into)].append(pdf.filename)
    except OSError as error:
        raise NotWritten(f"Not everything could be written into {into}: {error.strerror}.") from error
    if as_json:
        print_json(told)
    else:
        typer.echo(f"{len(told['written'])} written into {into}, {len(told['already_there'])} were there already.")
        for name in told["differs"]:
            typer.echo(f"{into / name} is there with another content, and was left as it is.", err=True)
    if told["differs"]:
        raise typer.Exit(FAILED)


def _write(pdf: Attachment, into: Path) -> str:
    """What became of it. The file appears whole, or not at all."""
    file, part = into / pdf.filename, into / f".{pdf.filename}.part"
    if file.exists():
        return "already_there" if file.read_bytes() == pdf.content else "differs"
    part.write_bytes(pdf.content)
    part.rename(file)
    return "written"
