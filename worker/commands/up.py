"""`prorata up`: the stack for development, until Ctrl-C."""

import fcntl
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from worker.commands.place import usable
from worker.processes import ChildFailed
from worker.stack import Stack, running


def up(
    folder: Annotated[Path, typer.Option(file_okay=False, help="data and logs; kept, and used again next time")] = Path(
        ".prorata/up"
    ),
    flower: Annotated[bool, typer.Option(help="with Flower, Celery's monitor")] = True,
    invoice_on_vat: Annotated[
        bool, typer.Option(help="invoice accounts that have an accepted VAT number but no payment method")
    ] = False,
) -> None:
    """Run everything for development: PostgreSQL, Redis, stand-ins, API, workers, beat.

    Processes that end are started again, and so are PostgreSQL and Redis; meanwhile everything waits for them.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    chosen = {"PRORATA_INVOICE_ON_VAT": str(invoice_on_vat).lower()}
    with (
        _only_us(folder),
        running(folder, chosen=chosen, flower=flower, restart=True, restart_servers=True, say=_say) as stack,
    ):
        for line in described(stack):
            typer.echo(line)
        with suppress(KeyboardInterrupt):
            while True:
                stack.check()
                time.sleep(1)
        typer.echo(f"Stopping. Data and logs stay in {folder}, and are used again next time; ports may differ then.")


def described(stack: Stack) -> Iterator[str]:
    """Where everything is, and how other commands reach it."""
    for what, where in stack.places():
        yield f"{what:>16}  {where}"
    yield "For other commands, in another shell:"
    yield stack.for_other_commands()
    yield f"API={stack.addresses.api}"
    yield (
        "If it has no data yet: prorata catalogue load FILE, prorata accounts load FILE, prorata keys issue NAME; "
        "samples are in api_stub/sample"
    )
    yield "Everything runs until Ctrl-C, or TERM."


@contextmanager
def _only_us(folder: Path) -> Iterator[None]:
    with (usable(folder) / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ChildFailed(f"another `prorata up` runs in {folder}; give this one another --folder") from None
        yield


def _say(what: str) -> None:
    typer.echo(f"starting: {what}")
