"""`prorata rejected`: the messages that no worker could process, for a person who finds out why."""

from collections.abc import Sequence
from typing import Annotated

import typer
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models.errors import Unknown
from models.rejected_messages import RejectedMessage
from tasks.wiring import begin
from worker.commands.options import AsJson
from worker.commands.screen import console, moment, plain, print_json, tell_if_cut
from worker.printed_tables import Column, Rows
from worker.wiring import plug_in_from_settings

rejected = typer.Typer(help="See and delete messages that no worker could process.", no_args_is_help=True)

Id = Annotated[int, typer.Argument(min=1, max=2**63 - 1, metavar="ID", help="as `list` shows it", show_default=False)]

_COLUMNS = (
    *(Column("id", right=True), Column("received (UTC)"), Column("because"), Column("queue"), Column("task")),
    Column("error"),
)
_LISTED = ("id", "received_at", "because", "queue", "task", "error")


class UnknownMessage(Unknown):
    """No rejected message has this id: it was deleted, or never was."""


@rejected.command("list")
def list_rejected(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="at most this many")] = 100, as_json: AsJson = False
) -> None:
    """The latest first, without what they contain."""
    plug_in_from_settings()
    with begin() as session:
        latest = select(RejectedMessage).order_by(RejectedMessage.id.desc()).limit(limit)
        messages = session.scalars(latest).all()
    if as_json:
        print_json([{name: getattr(message, name) for name in _LISTED} for message in messages])
    else:
        console().print(_table(messages) if messages else "No message was rejected.")
    tell_if_cut(len(messages), limit)


@rejected.command("show")
def show(number: Id) -> None:
    """One with its headers and its body, of which the first 64 KiB are kept, as JSON."""
    plug_in_from_settings()
    with begin() as session:
        message = _found(session, number)
    contents = {"headers": message.headers, "body": message.body.decode(errors="backslashreplace")}
    print_json({name: getattr(message, name) for name in _LISTED} | contents)


@rejected.command("delete")
def delete_message(number: Id) -> None:
    """Delete one, once nobody needs it any more. No order needs it: the sweep has published the order anew."""
    plug_in_from_settings()
    with begin() as session:
        _found(session, number)
        session.execute(delete(RejectedMessage).where(RejectedMessage.id == number))
    typer.echo(f"Message {number} is deleted.")


def _found(session: Session, number: int) -> RejectedMessage:
    message = session.get(RejectedMessage, number)
    if message is None:
        raise UnknownMessage(f"there is no rejected message {number}; `prorata rejected list` shows those there are")
    return message


def _table(messages: Sequence[RejectedMessage]) -> Rows:
    cells = [
        (
            *(str(message.id), moment(message.received_at), message.because.value),
            *(plain(message.queue), plain(message.task), plain(message.error)),
        )
        for message in messages
    ]
    return Rows(_COLUMNS, cells)
