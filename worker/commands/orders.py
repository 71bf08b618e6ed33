"""`prorata orders`: see what became of orders, and help those that need a person."""

from collections.abc import Sequence
from typing import Annotated

import typer

from models.messages import SentLetter
from models.orders import Order
from models.states import AFTER_ACTIVATION, LetterKind, OrderStatus, Step
from tasks import placement
from tasks.cancellation import BY_CUSTOMER, BY_US
from tasks.errors import Misconfigured, Refused, TemporarilyUnavailable
from tasks.operating import (
    at_provider,
    dispute_notes,
    dispute_settlements,
    letters_again,
    order_story,
    outside_refunds,
    support_refund,
)
from tasks.operating.at_provider import AtProvider
from tasks.plain_text import one_line
from tasks.upstream.request import RequestRefused
from tasks.wiring import begin, exact_now
from worker.commands import order_views, resuming
from worker.commands.options import AsJson, By, Why, WhyIfKnown, not_blank
from worker.commands.progress import waiting
from worker.commands.screen import console, print_json, tell_if_cut
from worker.commands.which_account import account_named
from worker.wiring import plug_in_from_settings

orders = typer.Typer(help="See and help orders.", no_args_is_help=True)

_WHICH = typer.Argument(
    metavar="ORDER",
    help="its number, its id, or the number of one of its documents, e.g. INV-2026-000001",
    show_default=False,
)
Which = Annotated[str, _WHICH]


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


@orders.command("resume")
def resume(
    which: Annotated[str | None, _WHICH] = None,
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
        resuming.resume_all(
            error_contains=error_contains,
            without_letters=without_letters,
            dry_run=dry_run,
            by=by,
            why=why,
            as_json=as_json,
        )
        return
    with begin() as session:
        order_id = order_story.find(session, which)
        planned = resuming.resume_one(
            session,
            order_id,
            from_step=from_step,
            without_letters=without_letters,
            dry_run=dry_run,
            by=by,
            why=why,
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


_CANCELLED = {
    OrderStatus.CANCELLED: "Cancelled.",
    OrderStatus.OPEN: "It will be cancelled; what is charged, or being charged, goes back.",
}


@orders.command("cancel")
def cancel(
    which: Which,
    by: By,
    why: WhyIfKnown = None,
    customer_asked: Annotated[
        bool,
        typer.Option("--customer-asked", help="tell the customer that it was at their request, not that we did it"),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Stop an order; what was charged for it goes back."""
    plug_in_from_settings()
    with begin() as session:
        order_id = order_story.find(session, which)
        order = session.get_one(Order, order_id)
        already = order.status is OrderStatus.CANCELLED
        try:
            status = placement.cancel(
                session,
                order_id=order_id,
                by=by,
                why=why,
                now=exact_now(),
                reason=BY_CUSTOMER if customer_asked else BY_US,
            )
        except RequestRefused as refused:
            raise RequestRefused(refused.code, f"{refused}{_instead_of_cancelling(order)}") from None
    if as_json:
        print_json({"id": order_id, "status": status, "already": already})
        return
    outcome = "It was cancelled already." if already else _CANCELLED.get(status)
    typer.echo(outcome or f"Cancellation was already requested; status: {status}.")


def _instead_of_cancelling(order: Order) -> str:
    """What gives back what an order bought that is too late to cancel."""
    if order.next_step not in AFTER_ACTIVATION:
        return ""
    return (
        f" `prorata orders refund {order.number}` gives it back once it is completed; "
        f"if it is parked because of a letter that cannot be sent, `prorata orders resume {order.number} --without-letters` first."
    )


@orders.command("refund")
def refund(
    which: Which,
    why: Why,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Give back all that a completed purchase charged to a card, and end what it bought: its users lose their seats."""
    plug_in_from_settings()
    with begin() as session:
        order_id = order_story.find(session, which)
    unassigned = support_refund.give_back(order_id, by=by, why=why)
    with begin() as session:
        status = session.get_one(Order, order_id).status
    if as_json:
        print_json({"id": order_id, "status": status, "unassigned": unassigned})
        return
    typer.echo(f"The refund is on its way; see `prorata orders show {which}`.")
    if unassigned:
        typer.echo(f"Users who lost their seats: {unassigned}. Whoever buys again must assign them again.")


@orders.command("send-letter")
def send_letter(
    which: Which,
    kind: Annotated[
        LetterKind | None,
        typer.Option(metavar="KIND", help=f"if the order has several: {', '.join(LetterKind)}", show_default=False),
    ] = None,
    as_json: AsJson = False,
    *,
    by: By,
    why: WhyIfKnown = None,
) -> None:
    """Send a letter of an order that has ended once more, to the present address of its contact."""
    plug_in_from_settings()
    with begin() as session:
        order_id = order_story.find(session, which)
    with waiting("the mail server"):
        sent = letters_again.send_again(order_id, kind, by=by, why=why)
    if as_json:
        print_json({"id": order_id, "sent": sent})
    else:
        typer.echo(f"The mail server has taken the {sent}.")


@orders.command("refunded-outside")
def refunded_outside(
    which: Which,
    why: Annotated[
        str, typer.Option(help="how it went back, for the order's timeline", show_default=False, callback=not_blank)
    ],
    by: By,
    rest_paid: Annotated[
        bool,
        typer.Option(
            "--rest-paid", help="the customer's bank took a part for good, and the rest was paid by other means"
        ),
    ] = False,
    charge: Annotated[
        str | None,
        typer.Option(
            help="the unexpected charge (pi_...) that was given back, not the order's own", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record that the whole charge, which the provider will never give back, was given back in another way, or by a lost dispute; the order ends as refunded."""
    plug_in_from_settings()
    with begin() as session:
        order_id = order_story.find(session, which)
        notice = session.get(SentLetter, (order_id, LetterKind.REFUND_NOTICE))
        told_before = notice is not None and notice.sent_at is not None
    if charge is not None:
        outside_refunds.settle_unexpected(order_id, charge, by=by, why=why, rest_paid=rest_paid)
        if as_json:
            print_json({"id": order_id, "charge": charge})
        else:
            typer.echo("Recorded; the order stays as it is.")
        return
    provider_asked = outside_refunds.settle(order_id, by=by, why=why, rest_paid=rest_paid)
    if as_json:
        print_json({"id": order_id, "provider_asked": provider_asked, "told_before": told_before})
        return
    if not provider_asked:
        typer.echo(
            "The provider could not be asked whether it also gave the money back: look in its dashboard.", err=True
        )
    typer.echo(_TOLD_BEFORE if told_before else _TOLD_NOW)


@orders.command("note-disputes")
def note_disputes(
    which: Which,
    as_json: AsJson = False,
) -> None:
    """Note the disputes of the order's charges as the payment provider has them now, as its events would have done; say which are new."""
    plug_in_from_settings()
    with begin() as session:
        order_id = order_story.find(session, which)
    new = dispute_notes.note_now(order_id)
    if as_json:
        print_json({"id": order_id, "noted": [order_views.dispute_as_json(dispute) for dispute in new]})
        return
    for dispute in new:
        amount = f"{order_views.major(dispute.amount_minor, dispute.currency)} {dispute.currency}"
        typer.echo(one_line(f"Noted: dispute {dispute.ref} of {dispute.charge_ref}, {dispute.status}, {amount}"))
    if not new:
        typer.echo("Nothing new: no dispute has another status than is noted.")


@orders.command("dispute-settled")
def dispute_settled(
    which: Which,
    why: Why,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Record that what the customer's bank took by a lost dispute was paid again, or is left to the customer: what was bought can be changed again."""
    plug_in_from_settings()
    with begin() as session:
        order_id = order_story.find(session, which)
    settled = dispute_settlements.settle(order_id, by=by, why=why)
    if as_json:
        print_json({"id": order_id, "settled": settled})
    else:
        typer.echo(f"Recorded for {', '.join(settled)}; the order and its invoice stay as they are.")


_TOLD_NOW = "Recorded; the order goes on, the credit note is issued and the customer is told."
_TOLD_BEFORE = (
    "Recorded; the order ends as refunded. Notice and credit note went out before and say that the money went to the card: "
    "tell the customer, and your accountant."
)


def _print_list(title: str, entries: tuple[str, ...]) -> None:
    typer.echo(title)
    for entry in entries:
        typer.echo(f"  {one_line(entry)}")
