"""`prorata orders resume --all-parked`: after one cause (a wrong credential, say) parked many orders, put each of them back."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from uuid import UUID

import typer
from sqlalchemy.orm import Session

from models.states import OrderStatus, Step
from tasks.errors import keeping
from tasks.mail.unanswered import MAY_HAVE_ARRIVED
from tasks.operating import order_story
from tasks.operating.order_at_hand import NotPossible
from tasks.operating.resumption import Resumption, plan_resumption, resume
from tasks.plain_text import one_line
from tasks.wiring import begin
from worker.commands.exit_status import FAILED
from worker.commands.screen import console, plain, print_json
from worker.tables import Column, Rows

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


def resume_one(
    session: Session,
    order_id: UUID,
    *,
    from_step: Step | None = None,
    without_letters: bool,
    dry_run: bool,
    by: str,
    why: str | None,
) -> Resumption:
    """What resuming it does, or with `dry_run` would do. Raises NotPossible."""
    story = order_story.tell(session, order_id)
    planned = plan_resumption(story, from_step=from_step, without_letters=without_letters)
    if not dry_run:
        resume(session, order_id, planned, by=by, why=why)
    return planned


def resume_all(
    *, error_contains: str | None, without_letters: bool, dry_run: bool, by: str, why: str | None, as_json: bool
) -> None:
    """Each in a transaction of its own, the oldest first. Exits with 1 where one stays parked."""
    resumed: list[Resumed] = []
    with keeping(lambda: _resumed_before(resumed, dry_run=dry_run)):
        put_back = partial(_put_back, without_letters=without_letters, dry_run=dry_run, by=by, why=why)
        decided = without_letters or "may have arrived" in (error_contains or "").lower()
        resumed.extend(_resumed(error_contains or "", put_back, decided=decided))
    if as_json:
        print_json([asdict(each) for each in resumed])
    elif not resumed:
        typer.echo(_nothing(error_contains))
    else:
        console().print(_table(resumed, dry_run=dry_run))
    if any(each.why_not for each in resumed):
        raise typer.Exit(FAILED)


def _resumed_before(resumed: Sequence[Resumed], *, dry_run: bool) -> str:
    count = 0 if dry_run else sum(1 for each in resumed if each.step is not None)
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


def _resumed(
    error_contains: str, put_back: Callable[[UUID], tuple[str | None, str | None]], *, decided: bool
) -> Iterator[Resumed]:
    """decided: whether a person wants orders to go on whose letter may have arrived; otherwise these stay."""
    with begin() as session:
        parked = order_story.listing(session, statuses=(OrderStatus.NEEDS_ATTENTION,), limit=ALL)
    for order, account in reversed(parked):
        error = order.last_error or ""
        if error_contains.lower() in error.lower():
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
        with begin() as session:
            planned = resume_one(session, order_id, without_letters=without_letters, dry_run=dry_run, by=by, why=why)
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
