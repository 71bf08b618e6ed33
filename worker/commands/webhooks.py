"""`prorata webhooks`: the payment provider's notifications that wait, and what a person can do about one."""

from collections.abc import Sequence
from typing import Annotated

import typer

from models.messages import WebhookReceived
from tasks.operating import waiting_webhooks
from tasks.wiring import begin
from worker.commands.options import AsJson, By, Why
from worker.commands.screen import console, moment, plain, print_json, tell_if_cut
from worker.printed_tables import Column, Rows
from worker.wiring import plug_in_from_settings

webhooks = typer.Typer(help="See and help the payment provider's notifications that wait.", no_args_is_help=True)

Event = Annotated[str, typer.Argument(metavar="EVENT", help="its id, e.g. evt_1", show_default=False)]

_COLUMNS = (
    *(Column("event"), Column("type"), Column("charge"), Column("received (UTC)")),
    *(Column("tries", right=True), Column("next try (UTC)"), Column("what came of the last")),
)


@webhooks.command("list")
def list_waiting(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="at most this many")] = 100, as_json: AsJson = False
) -> None:
    """Those not acted on yet, the oldest first, and why."""
    plug_in_from_settings()
    with begin() as session:
        waiting = waiting_webhooks.waiting(session, limit=limit)
    if as_json:
        print_json([_as_json(event) for event in waiting])
    else:
        console().print(_table(waiting) if waiting else "No notification waits.")
    tell_if_cut(len(waiting), limit)


@webhooks.command("retry")
def retry(event: Event, as_json: AsJson = False) -> None:
    """Have it handled at once, without waiting for its next attempt."""
    plug_in_from_settings()
    with begin() as session:
        waiting_webhooks.retry(session, event)
    _tell(as_json, event, "to be retried", f"{event} will be retried at once.")


@webhooks.command("dismiss")
def dismiss(
    event: Event,
    why: Why,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Never act on it: make sure that no money depends on it. This cannot be undone."""
    plug_in_from_settings()
    with begin() as session:
        waiting_webhooks.dismiss(session, event, by=by, why=why)
    _tell(as_json, event, "dismissed", f"{event} is dismissed.")


def _tell(as_json: bool, event: str, result: str, said: str) -> None:
    if as_json:
        print_json({"id": event, "result": result})
    else:
        typer.echo(said)


def _table(waiting: Sequence[WebhookReceived]) -> Rows:
    cells = [
        (
            *(plain(event.id), plain(event.type), plain(event.charge_ref or ""), moment(event.received_at)),
            str(event.attempts),
            moment(event.next_attempt_at) if event.next_attempt_at else "",
            plain(event.outcome or ""),
        )
        for event in waiting
    ]
    return Rows(_COLUMNS, cells)


def _as_json(event: WebhookReceived) -> dict[str, object]:
    """Without the payload: it has what a customer has told the provider."""
    shown = ("id", "type", "charge_ref", "received_at", "attempts", "next_attempt_at", "outcome")
    return {name: getattr(event, name) for name in shown}
