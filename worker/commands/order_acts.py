"""`prorata orders`: what a person does about an order. To put one back on its way is in `resuming`."""

from typing import Annotated
from uuid import UUID

import typer

from models.messages import SentLetter
from models.orders import Order
from models.rules.currency import format_amount
from models.states import AFTER_ACTIVATION, LetterKind, LetterStatus, OrderStatus
from tasks import placement
from tasks.cancellation import BY_CUSTOMER, BY_US
from tasks.operating import (
    dispute_notes,
    dispute_settlements,
    letters_again,
    outside_refunds,
    refund_notes,
    support_refund,
    unexpected_refunds,
)
from tasks.plain_text import one_line
from tasks.refunds import disputes
from tasks.upstream.request import RequestRefused
from tasks.wiring import begin, exact_now
from worker.commands import order_views
from worker.commands.options import AsJson, By, Why, WhyIfKnown, not_blank
from worker.commands.progress_bar import waiting_for_mail_server
from worker.commands.screen import print_json
from worker.commands.which_order import Which, order_named
from worker.wiring import plug_in_from_settings

_CANCELLED = {
    OrderStatus.CANCELLED: "Cancelled.",
    OrderStatus.OPEN: "It will be cancelled; what is charged, or being charged, goes back.",
}


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
    order_id = order_named(which)
    with begin() as session:
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


def refund(
    which: Which,
    why: Why,
    by: By,
    as_json: AsJson = False,
) -> None:
    """Give back all that a completed purchase charged to a card, and end what it bought: its users lose their seats."""
    plug_in_from_settings()
    order_id = order_named(which)
    unassigned = support_refund.give_back(order_id, by=by, why=why)
    with begin() as session:
        status = session.get_one(Order, order_id).status
    if as_json:
        print_json({"id": order_id, "status": status, "unassigned": unassigned})
        return
    typer.echo(f"The refund is on its way; see `prorata orders show {which}`.")
    if unassigned:
        typer.echo(f"Users who lost their seats: {unassigned}. Whoever buys again must assign them again.")


def send_letter(
    which: Which,
    kind: Annotated[
        LetterKind | None,
        typer.Option(metavar="KIND", help=f"if the order has several: {', '.join(LetterKind)}", show_default=False),
    ] = None,
    to_contact: Annotated[
        UUID | None,
        typer.Option(
            metavar="ID",
            help="to another billing contact of the account: the address was wrong, or its owner has left",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    *,
    by: By,
    why: WhyIfKnown = None,
) -> None:
    """Send a letter of an order that has ended once more, to the contact who ordered or to another one."""
    plug_in_from_settings()
    order_id = order_named(which)
    with waiting_for_mail_server():
        sent = letters_again.send_again(order_id, kind, by=by, why=why, to_contact=to_contact)
    if as_json:
        print_json({"id": order_id, "sent": sent})
    else:
        typer.echo(f"The mail server has taken the {sent}.")


def refunded_outside(
    which: Which,
    why: Annotated[
        str, typer.Option(help="how it went back, for the order's timeline", show_default=False, callback=not_blank)
    ],
    by: By,
    rest_paid: Annotated[
        bool,
        typer.Option(
            "--rest-paid",
            help="the customer's bank took a part for good, or the provider refunded all but VAT, or more is owed since, and the rest was paid by other means",
        ),
    ] = False,
    paid: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT",
            help="how much of the charge you say that was, e.g. 107.00, VAT paid before included: refused if another sum is owed by now",
            show_default=False,
        ),
    ] = None,
    charge: Annotated[
        str | None,
        typer.Option(
            help="the unexpected charge (pi_...) that was given back, not the order's own", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record that the whole charge, which the provider will never give back, was given back in another way, or by a lost dispute; the order ends as refunded."""
    if paid is not None and not (rest_paid or charge):
        raise typer.BadParameter("goes with --rest-paid, or with --charge", param_hint="--paid")
    plug_in_from_settings()
    order_id = order_named(which)
    with begin() as session:
        notice = session.get(SentLetter, (order_id, LetterKind.REFUND_NOTICE))
        told_before = notice is not None and notice.status is LetterStatus.SENT
        order = session.get_one(Order, order_id)
        has_ended = order.status is OrderStatus.REFUNDED
    if charge is not None:
        owed = unexpected_refunds.settle(order_id, charge, by=by, why=why, rest_paid=rest_paid, paid_now=paid)
        if as_json:
            print_json({"id": order_id, "charge": charge, "owed_minor": owed and owed[0]})
            return
        typer.echo("Recorded; the order stays as it is.")
        if owed and paid is None:
            _say_owed(*owed)
        return
    recorded = outside_refunds.settle(order_id, by=by, why=why, rest_paid=rest_paid, paid=paid)
    if as_json:
        print_json(
            {
                "id": order_id,
                "provider_asked": recorded.provider_asked,
                "told_before": told_before,
                "owed_minor": recorded.owed_minor,
                "vat_minor": recorded.vat_minor,
            }
        )
        return
    if not recorded.provider_asked:
        typer.echo(
            "The provider could not be asked whether it also gave the money back: look in its dashboard.", err=True
        )
    typer.echo(_TOLD_BEFORE if told_before else _not_told(order.number) if has_ended else _TOLD_NOW)
    if recorded.owed_minor and paid is None:
        _say_owed(recorded.owed_minor, recorded.currency, vat_minor=recorded.vat_minor)


def _not_told(number: int) -> str:
    return (
        f"Recorded; the order stays refunded. It ended without its notice: send that with `prorata orders send-letter {number} --kind {LetterKind.REFUND_NOTICE}`, "
        "or tell the customer yourself, and tell your accountant."
    )


def _say_owed(amount_minor: int, currency: str, *, vat_minor: int = 0) -> None:
    amount = format_amount(amount_minor, currency)
    but = disputes.but_vat(amount_minor, vat_minor, currency)
    typer.echo(f"The customer is owed {amount} of this charge: pay that by other means, if you have not yet{but}.")


def note_disputes(
    which: Which,
    as_json: AsJson = False,
) -> None:
    """Note the disputes of the order's charges as the payment provider has them now, as its events would have done; say which are new."""
    plug_in_from_settings()
    order_id = order_named(which)
    new = dispute_notes.note_now(order_id)
    if as_json:
        print_json({"id": order_id, "noted": [order_views.dispute_as_json(dispute) for dispute in new]})
        return
    for dispute in new:
        amount = format_amount(dispute.amount_minor, dispute.currency)
        typer.echo(one_line(f"Noted: dispute {dispute.ref} of {dispute.charge_ref}, {dispute.status}, {amount}"))
    if not new:
        typer.echo("Nothing new: no dispute has another status or amount than is noted.")


def note_refunds(
    which: Which,
    as_json: AsJson = False,
) -> None:
    """Note the refunds of the order's charges as the payment provider has them now, and do what their events would have done; say what is new."""
    plug_in_from_settings()
    order_id = order_named(which)
    noted = refund_notes.note_now(order_id)
    if as_json:
        entries = [{"kind": entry.kind, "facts": entry.facts} for entry in noted.entries]
        print_json({"id": order_id, "noted": entries, "not_done": noted.not_done})
        return
    for entry in noted.entries:
        what = entry.facts.get("error") or entry.facts.get("refund") or ""
        typer.echo(one_line(f"Noted: {entry.kind} {what}".rstrip()))
    if not noted.entries:
        typer.echo("Nothing new: all that the payment provider says of its refunds is noted.")
    for why in noted.not_done:
        typer.echo(one_line(f"Not done now, run this again in a minute: {why}"))


def dispute_settled(
    which: Which,
    why: Why,
    by: By,
    paid_again: Annotated[
        bool,
        typer.Option(
            "--paid-again",
            help="the customer has paid again what the bank took by these disputes: VAT that turns out not to be due is then credited, as if there had been none",
        ),
    ] = False,
    dispute: Annotated[
        str | None,
        typer.Option(help="only this dispute (du_...), not all that are lost and not settled", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record that what the customer's bank took by a lost dispute was paid again, or is left to the customer: what was bought can be changed again."""
    plug_in_from_settings()
    order_id = order_named(which)
    settled = dispute_settlements.settle(order_id, by=by, why=why, paid_again=paid_again, dispute=dispute)
    if as_json:
        print_json({"id": order_id, "settled": settled})
    else:
        typer.echo(f"Recorded for {', '.join(settled)}; the order and its invoice stay as they are.")


_TOLD_NOW = "Recorded; the order goes on, the credit note is issued and the customer is told."
_TOLD_BEFORE = (
    "Recorded; the order ends as refunded. Notice and credit note went out before and say that the money went back in another way than it did: "
    "tell the customer, and your accountant."
)
