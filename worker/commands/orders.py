"""`prorata orders`: see what became of orders, and help those that need a person."""

from collections.abc import Sequence
from typing import Annotated

import typer

from models.states import OrderStatus
from tasks.errors import Misconfigured, Refused, TemporarilyUnavailable
from tasks.operating import at_provider, order_story
from tasks.operating.at_provider import AtProvider
from tasks.wiring import begin
from worker.commands import order_acts, order_views, resuming
from worker.commands.options import AsJson
from worker.commands.screen import console, print_json, tell_if_cut
from worker.commands.which_account import account_named
from worker.commands.which_order import Which
from worker.wiring import plug_in_from_settings

orders = typer.Typer(help="See and help orders.", no_args_is_help=True)


@orders.command("list")
def list_orders(
    status: Annotated[
        list[OrderStatus] | None,
        typer.Option(metavar="STATUS", help=f"only these, may be given several times: {', '.join(OrderStatus)}"),
    ] = None,
    account: Annotated[str | None, typer.Option(help="only this account's: code from the accounts file, or id")] = None,
    undeliverable: Annotated[
        bool, typer.Option("--undeliverable", help="only where an email was refused for good")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """The newest orders and where they stand."""
    plug_in_from_settings()
    with begin() as session:
        account_id = account_named(session, account).id if account is not None else None
        rows = order_story.listing(
            session, statuses=status or (), account_id=account_id, undeliverable=undeliverable, limit=limit
        )
    if as_json:
        print_json([order_views.order_as_json(order, name) for order, name in rows])
    else:
        console().print(
            order_views.table(rows) if rows else _nothing_listed(status or (), bool(account_id or undeliverable))
        )
    tell_if_cut(len(rows), limit)


_IN_WORDS = {OrderStatus.NEEDS_ATTENTION: "needs attention"}


def _nothing_listed(statuses: Sequence[OrderStatus], searched_otherwise: bool) -> str:
    if statuses and not searched_otherwise:
        return f"No order {' or '.join(_IN_WORDS.get(status, f'is {status.value}') for status in statuses)}."
    if statuses or searched_otherwise:
        return "There is no such order; without options, all are listed."
    return "No orders yet: an upstream places them with its API key (prorata keys issue NAME)."


@orders.command("show")
def show_order(
    which: Which,
    as_json: AsJson = False,
) -> None:
    """One order's whole story: amounts, tries with their keys, what the payment provider says now, documents, letters, timeline."""
    plug_in_from_settings()
    with begin() as session:
        story = order_story.tell(session, order_story.find(session, which))
    asked = _at_provider(story)
    if as_json:
        print_json(order_views.story_as_json(story, asked))
    else:
        console().print(*order_views.story(story, asked), sep="\n")


def _at_provider(story: order_story.Story) -> Sequence[AtProvider] | str:
    """What the provider says now, or why it could not be asked: the rest of the story is told all the same."""
    try:
        return at_provider.look_up(story)
    except (TemporarilyUnavailable, Misconfigured, Refused) as error:
        return str(error)


orders.command("resume")(resuming.resume)
orders.command("cancel")(order_acts.cancel)
orders.command("refund")(order_acts.refund)
orders.command("send-letter")(order_acts.send_letter)
orders.command("refunded-outside")(order_acts.refunded_outside)
orders.command("note-disputes")(order_acts.note_disputes)
orders.command("note-refunds")(order_acts.note_refunds)
orders.command("dispute-settled")(order_acts.dispute_settled)
