"""`prorata demo`: the whole system, real orders, a table of what came of them."""

import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from api_stub import sample as sample_files
from api_stub.demo import all_orders, display
from api_stub.demo.all_orders import Prepared, Results
from api_stub.demo.backstage import Here
from api_stub.demo.sample_file import SampleOrder, read
from models.accounts import Language
from worker import stack as stacks
from worker.commands.place import unused, usable
from worker.commands.screen import console as screen_console
from worker.printed_tables import WIDE
from worker.stack import Stack


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="leave it running afterwards, until Ctrl-C")] = False,
    folder: Annotated[
        Path | None, typer.Option(file_okay=False, help="for data and logs; default: a new one under .prorata")
    ] = None,
) -> None:
    """Start everything, place the sample orders over HTTP, follow them, and show what came of each.

    Exit status 0 only if every sample order ended as it must, and the payment provider's books agree.
    """
    began = time.monotonic()
    if folder is not None:
        unused(folder)
    console = screen_console()
    samples = read(sample_files.ORDERS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with _scratch(folder, console) as place, _started(place, console, flower=keep) as stack:
        console.print(f"up after {time.monotonic() - began:.1f} s; {len(samples)} sample orders", highlight=False)
        prepared = all_orders.prepare(Here(stack.settings), stack.addresses)
        with display.Screen(console, len(samples)) as screen:
            results = all_orders.run(prepared, stack.addresses, samples, screen)
        stack.check()
        _show(console, samples, results, prepared)
        console.print(f"{time.monotonic() - began:.1f} s in all", highlight=False)
        if not keep:
            console.print(
                "`prorata demo --keep` (make demo KEEP=1) leaves it running, to look at emails, books and Flower.",
                highlight=False,
            )
        else:
            _stay(console, stack, prepared)
        if not results.as_expected:
            raise typer.Exit(1)


@contextmanager
def _scratch(folder: Path | None, console: Console) -> Iterator[Path]:
    """A folder of this run's own, removed if all went well; one that was asked for stays."""
    place = (folder or Path(".prorata") / f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}").absolute()
    usable(place)
    try:
        yield place
    except BaseException as error:
        if folder is None and isinstance(error, KeyboardInterrupt):
            console.print("Stopped.")
            shutil.rmtree(place, ignore_errors=True)
        else:
            console.print(f"Data and logs are in {escape(str(place))}", highlight=False)
        raise
    if folder is None:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _started(folder: Path, console: Console, *, flower: bool) -> Iterator[Stack]:
    with ExitStack() as exits:
        with console.status("starting") as status:
            starting = stacks.running(
                folder,
                chosen=all_orders.SETTINGS,
                flower=flower,
                durable=False,
                restart=flower,
                restart_servers=flower,
                say=lambda what: status.update(f"starting: {what}"),
            )
            stack = exits.enter_context(starting)
        yield stack


def _show(console: Console, samples: tuple[SampleOrder, ...], results: Results, prepared: Prepared) -> None:
    languages = {
        account.code: str(account.columns.get("language", Language.EN)) for account in prepared.accounts.accounts
    }
    console.print(display.results(results.played, results.complaints, languages, wide=console.width >= WIDE))
    for name, complaints in results.complaints.items():
        for complaint in complaints:
            console.print(f"[red]{escape(name)}: {escape(complaint)}[/]", highlight=False)
    for difference in (*results.books.differences, *results.letters.differences, *results.ledger):
        console.print(f"[red]{escape(difference)}[/]", highlight=False)
    wrong = sum(bool(complaints) for complaints in results.complaints.values())
    books, letters = results.books, results.letters
    before = books.orders - len({played.order["id"] for played in results.played if played.order})
    for line in (
        f"{len(samples) - wrong} of {len(samples)} sample orders ended as they must.",
        f"Stripe's books ({books.charges} charges, {books.refunds} refunds) and our {books.orders} orders ({before} of them for what "
        f"accounts had before) {'DO NOT agree' if books.differences else 'agree'}.",
        f"{letters.sent} emails sent, {letters.arrived} arrived.",
        f"prorata ledger verify and reconcile: {len(results.ledger) or 'no'} differences.",
    ):
        console.print(line, highlight=False, style="bold")


def _stay(console: Console, stack: Stack, prepared: Prepared) -> None:
    for what, where in stack.places():
        console.print(f"{what:>16}  {escape(where)}", highlight=False, soft_wrap=True)
    console.print("Everything runs until Ctrl-C. For other commands, in another shell:", style="bold")
    console.print(escape(stack.for_other_commands()), highlight=False, soft_wrap=True)
    console.print("For orders of your own, as README.md shows them:", style="bold")
    for assignment in (f"API={stack.addresses.api}", f"KEY={prepared.key}"):
        console.print(escape(assignment), highlight=False, soft_wrap=True)
    with suppress(KeyboardInterrupt):
        while True:
            stack.check()
            time.sleep(1)
    console.print("Stopping.")
