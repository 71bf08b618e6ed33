"""Options that several commands take: who acts and why, for what is recorded as done by a person, and the answer as JSON."""

import getpass
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Annotated

import typer

from tasks.plain_text import typed

_DAY = "%Y-%m-%d"


def _user_name() -> str:
    """In our container it is "prorata" for everybody (`--by` says who); "operator" where there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def not_blank(text: str | None) -> str | None:
    """As it can be recorded: on one line, without letters that nobody sees. Raises BadParameter."""
    recorded = text if text is None else typed(text)
    if recorded == "":
        raise typer.BadParameter("must not be blank")
    return recorded


def day(text: str) -> datetime:
    """Its beginning in UTC. Raises BadParameter."""
    try:
        return datetime.strptime(text, _DAY).replace(tzinfo=UTC)
    except ValueError:
        raise typer.BadParameter("must be a day like 2026-11-28") from None


def calendar_day(text: str) -> date:
    """Raises BadParameter."""
    return day(text).date()


def time_in_utc(text: str) -> datetime:
    """Raises BadParameter."""
    for form in (_DAY, f"{_DAY}T%H:%M", f"{_DAY}T%H:%M:%S", f"{_DAY}T%H:%M:%SZ"):
        with suppress(ValueError):
            return datetime.strptime(text, form).replace(tzinfo=UTC)
    raise typer.BadParameter("must be a time in UTC like 2026-11-28 or 2026-11-28T14:30")


def refuse_future(on: date | None, today: date) -> None:
    """Raises BadParameter."""
    if on is not None and on > today:
        raise typer.BadParameter(f"must not be after today, {today}", param_hint="--on")


def refuse_backwards(first: date, last: date) -> None:
    """Raises BadParameter."""
    if last < first:
        raise typer.BadParameter(f"must not be before the first day, {first} (--from)", param_hint="--to")


def refuse_both(*, as_json: bool, as_csv: bool) -> None:
    """Raises BadParameter."""
    if as_json and as_csv:
        raise typer.BadParameter("choose one: --json or --csv")


FirstDay = Annotated[
    date,
    typer.Option("--from", parser=calendar_day, metavar="DAY", help="the first, e.g. 2026-11-01", show_default=False),
]
LastDay = Annotated[
    date, typer.Option("--to", parser=calendar_day, metavar="DAY", help="the last, included", show_default=False)
]
PastDay = Annotated[
    date | None,
    typer.Option(
        "--on",
        parser=calendar_day,
        metavar="DAY",
        help="as of the end of that day on the seller's clock, e.g. 2026-11-30; default: now",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="for programs")]
AsCsv = Annotated[bool, typer.Option("--csv", help="for spreadsheets")]
By = Annotated[
    str,
    typer.Option(
        help="who does it, for the record",
        default_factory=_user_name,
        show_default="your user name",
        callback=not_blank,
    ),
]
Why = Annotated[str, typer.Option(help="the reason, for the record", show_default=False, callback=not_blank)]
WhyIfKnown = Annotated[
    str | None, typer.Option("--why", help="the reason, for the record", show_default=False, callback=not_blank)
]
