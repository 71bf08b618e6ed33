"""`prorata documents pdf`: writes documents into a folder, as the PDFs that customers got."""

import errno
import os
from pathlib import Path
from tempfile import mkstemp
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


_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
_ADVICE = (
    " Name a folder that this user may write to; a container sees no folder of its host unless one is given to it"
    " (docs/closing.md has the command)."
)


def write_pdfs(first: FirstDay, last: LastDay, into: Folder, as_json: AsJson = False) -> None:
    """Write the documents issued on some days, each as NUMBER.pdf, for your user alone. No file is overwritten; exit status 1 if one is there with another content."""
    refuse_backwards(first, last)
    plug_in_from_settings()
    told: dict[str, list[str]] = {"written": [], "already_there": [], "differs": []}
    try:
        for folder in (*reversed(into.parents), into):
            folder.mkdir(mode=0o700, exist_ok=True)  # the documents name customers and what they paid
        with begin() as session, progress() as shown:
            total = count(of_one_moment(session), first, last)
            for pdf in shown.track(document_pdfs(session, first, last), total, description="writing"):
                told[_write(pdf, into)].append(pdf.filename)
    except OSError as error:
        advice = _ADVICE if error.errno in _NOT_ALLOWED else ""
        raise NotWritten(f"Not everything could be written into {into}: {error.strerror}.{advice}") from error
    if as_json:
        print_json(told)
    else:
        typer.echo(f"{len(told['written'])} written into {into}, {len(told['already_there'])} were there already.")
        for name in told["differs"]:
            typer.echo(f"{into / name} is there with another content, and was left as it is.", err=True)
    if told["differs"]:
        raise typer.Exit(FAILED)


def _write(pdf: Attachment, into: Path) -> str:
    """What became of it. The file appears whole, or not at all; it is written under a name that nobody can have put a link at."""
    file = into / pdf.filename
    if os.path.lexists(file):
        return "already_there" if file.exists() and file.read_bytes() == pdf.content else "differs"
    descriptor, name = mkstemp(dir=into, prefix=f".{pdf.filename}.", suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(pdf.content)
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)
    return "written"
