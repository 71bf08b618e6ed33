"""`prorata orders resume`: put an order back on its way or, after one cause (a wrong credential, say) parked many, each of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated
from uuid import UUID

import typer

from models.orders import Order
from models.states import OrderStatus, Step
from tasks.errors import keeping
from tasks.mail.unanswered import MAY_HAVE_ARRIVED
from tasks.operating import order_story, resumption
from tasks.operating.order_at_hand import NotPossible
from tasks.operating.resumption import Resumption
from tasks.plain_text import one_line
from tasks.wiring import begin
from worker.commands.exit_status import FAILED
from worker.commands.options import AsJson, By, WhyIfKnown
from worker.commands.progress_bar import progress
from worker.commands.screen import console, plain, print_json
from worker.commands.which_order import WHICH, order_named
from worker.printed_tables import Column, Rows
from worker.wiring import plug_in_from_settings

FromStep = Annotated[
    Step | None, typer.Option("--from", metavar="STEP", help=f"another than the one it stands at: {', '.join(Step)}")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="say what happened already and what would; do nothing")]
AllParked = Annotated[
    bool, typer.Option("--all-parked", help="every order that needs attention, but those whose letter may have arrived")
]
ErrorContains = Annotated[
    str | None, typer.Option(help="with --all-parked: only where the last error contains this", show_default=False)
]
WithoutLetters = Annotated[
    bool,
    typer.Option(
        "--without-letters",
        help="give up the letter that it waits for, which then counts as undeliverable; later ones are tried",
    ),
]


def resume(
    which: Annotated[str | None, WHICH] = None,
    from_step: FromStep = None,
    without_letters: WithoutLetters = False,
    dry_run: DryRun = False,
    all_parked: AllParked = False,
    error_contains: ErrorContains = None,
    as_json: AsJson = False,
    *,
    by: By,
    why: WhyIfKnown = None,
) -> None:
    """Put an order that needs attention back on its way, or all of them; nothing already done is repeated."""
    _refuse_contradictions(which, from_step, error_contains, all_parked=all_parked)
    if without_letters and from_step is not None:
        raise typer.BadParameter("--without-letters goes on from where the order stands, so without --from")
    plug_in_from_settings()
    if which is None:
        _resume_all(
            error_contains=error_contains,
            without_letters=without_letters,
            dry_run=dry_run,
            by=by,
            why=why,
            as_json=as_json,
        )
        return
    order_id = order_named(which)
    planned = _resume_one(
        order_id, from_step=from_step, without_letters=without_letters, dry_run=dry_run, by=by, why=why
    )
    if as_json:
        done = {"id": order_id, "dry_run": dry_run, "step": planned.first, "happened": planned.happened}
        print_json({**done, "would": planned.would})
        return
    _print_list("Happened already:", planned.happened or ("nothing",))
    _print_list("Would do:" if dry_run else "Does now:", planned.would)


def _refuse_contradictions(
    which: str | None, from_step: Step | None, error_contains: str | None, *, all_parked: bool
) -> None:
    if all_parked is (which is not None):
        raise typer.BadParameter("name an order, or pass --all-parked")
    if all_parked and from_step is not None:
        raise typer.BadParameter("--from is for a single order")
    if which is not None and error_contains:
        raise typer.BadParameter("--error-contains goes with --all-parked")


def _print_list(title: str, entries: tuple[str, ...]) -> None:
    typer.echo(title)
    for entry in entries:
        typer.echo(f"  {one_line(entry)}")


def _resume_one(
    order_id: UUID,
    *,
    from_step: Step | None = None,
    without_letters: bool,
    dry_run: bool,
    by: str,
    why: str | None,
) -> Resumption:
    """What resuming it does, or with `dry_run` would do. Raises NotPossible."""
    with begin() as session:
        story = order_story.tell(session, order_id)
        planned = resumption.plan_resumption(story, from_step=from_step, without_letters=without_letters)
        if not dry_run:
            resumption.resume(session, order_id, planned, by=by, why=why)
    return planned


ALL = 1_000_000
MOST_ERRORS = 5
"""how many to list where none matches the one asked for"""
ENOUGH = 120
"""characters of each"""


@dataclass(frozen=True, slots=True)
class Resumed:
    """What came of one parked order; `why_not` where it stays parked."""

    number: int
    account: str
    step: str | None
    last_error: str
    why_not: str | None


def _resume_all(
    *, error_contains: str | None, without_letters: bool, dry_run: bool, by: str, why: str | None, as_json: bool
) -> None:
    """Each in a transaction of its own, the oldest first. Exits with 1 where one stays parked."""
    resumed: list[Resumed] = []
    parked = _parked(error_contains or "")
    with keeping(lambda: _done_before(resumed, len(parked), dry_run=dry_run)), progress() as shown:
        put_back = partial(_put_back, without_letters=without_letters, dry_run=dry_run, by=by, why=why)
        decided = without_letters or "may have arrived" in (error_contains or "").lower()
        orders = shown.track(parked, description="looking at orders" if dry_run else "resuming orders")
        resumed.extend(_resumed(orders, put_back, decided=decided))
    if as_json:
        print_json([asdict(each) for each in resumed])
    elif not resumed:
        typer.echo(_nothing(error_contains))
    else:
        console().print(_table(resumed, dry_run=dry_run))
    if any(each.why_not for each in resumed):
        raise typer.Exit(FAILED)


def _done_before(resumed: Sequence[Resumed], total: int, *, dry_run: bool) -> str:
    if dry_run:
        return f"Looked at before that: {len(resumed)} of {total}; nothing was changed."
    count = sum(1 for each in resumed if each.step is not None)
    return f"Resumed before that: {count}." if count else ""


def _nothing(error_contains: str | None) -> str:
    """With the errors there are, where none is the one that was asked for."""
    with begin() as session:
        parked = order_story.listing(session, statuses=(OrderStatus.NEEDS_ATTENTION,), limit=ALL)
    if not error_contains or not parked:
        return "No order needs attention."
    errors = Counter(one_line(order.last_error or "")[:ENOUGH] for order, _ in parked)
    most = [f"  {number} x {error}" for error, number in errors.most_common(MOST_ERRORS)]
    more = [f"  and {len(errors) - MOST_ERRORS} more"] if len(errors) > MOST_ERRORS else []
    return "\n".join(["No order that needs attention has such an error. There are:", *most, *more])


def _parked(error_contains: str) -> list[tuple[Order, str]]:
    """The orders with such an error, each with the name of its account; the oldest first."""
    with begin() as session:
        parked = order_story.listing(session, statuses=(OrderStatus.NEEDS_ATTENTION,), limit=ALL)
    return [
        (order, name) for order, name in reversed(parked) if error_contains.lower() in (order.last_error or "").lower()
    ]


def _resumed(
    parked: Iterable[tuple[Order, str]], put_back: Callable[[UUID], tuple[str | None, str | None]], *, decided: bool
) -> Iterator[Resumed]:
    """decided: whether a person wants orders to go on whose letter may have arrived; otherwise these stay."""
    for order, account in parked:
        error = order.last_error or ""
        stays = MAY_HAVE_ARRIVED in error and not decided
        step, why_not = (None, _undecided(order.number)) if stays else put_back(order.id)
        yield Resumed(order.number, account, step, error, why_not)


def _undecided(number: int) -> str:
    return (
        f"its letter may have arrived: `prorata orders resume {number}` sends it once more, for all such orders add "
        '--error-contains "may have arrived"; --without-letters goes on without it'
    )


def _put_back(
    order_id: UUID, *, without_letters: bool, dry_run: bool, by: str, why: str | None
) -> tuple[str | None, str | None]:
    try:
        planned = _resume_one(order_id, without_letters=without_letters, dry_run=dry_run, by=by, why=why)
    except NotPossible as refused:
        return None, str(refused)
    return planned.first.value, None


def _table(resumed: Sequence[Resumed], *, dry_run: bool) -> Rows:
    headings = ("order", "account", "would go on with" if dry_run else "goes on with", "last error")
    cells = []
    for each in resumed:
        goes_on = each.step or f"[red]stays: {plain(each.why_not or '')}[/]"
        cells.append((str(each.number), plain(each.account), goes_on, plain(each.last_error)))
    return Rows([Column(heading) for heading in headings], cells)
