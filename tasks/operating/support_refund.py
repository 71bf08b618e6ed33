"""Refund all that an order was charged, for an operator. `outside_refunds` records what was given back in another way."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models import ledger, reservation, timeline, waiting_orders
from models.account_lock import lock_account
from models.ledger import BalanceTooLow, Cause, LedgerMovement, MovementKind, cause_of
from models.orders import Order, OrderLine
from models.payments import ChargeAttempt
from models.rules.cart import Action, SubscriptionStatus
from models.rules.currency import format_amount, major
from models.states import BACK, FINAL, REFUNDED_BY_SUPPORT, OrderStatus, PaymentKind, Step
from models.subscriptions import SITS, SeatAssignment, Subscription, SubscriptionPeriod, period_of, running_period
from models.timeline_kinds import Kind
from tasks.operating import dispute_settlements, outside_records
from tasks.operating.order_at_hand import NotPossible, completed, disputed, let_it_complete, locked
from tasks.refunds import disputes, refunded, refunds_elsewhere
from tasks.vat import unsent_letters, vat_at_bank
from tasks.wiring import begin, now

FEWER_SEATS: Final = "order fewer seats instead: what is unused becomes balance"
_THE_REST: Final = "refund the rest in the provider's dashboard"
_THE_PAGE: Final = "docs/disputes.md, Disputes and refunds in Stripe's Dashboard"


def give_back(order_id: UUID, *, by: str, why: str) -> int:
    """`refund`, once the provider was asked what went back already: it would refuse when everything is ended.

    Raises NotPossible, also if the customer's bank has taken back what the provider has not refunded; TemporarilyUnavailable, Misconfigured: the provider could not be asked.
    """
    with begin() as session:
        bought = completed(session, order_id)
    if bought:
        order, charge = bought
        back = outside_records.went_back_minor(charge)
        found, owed = ((), 0) if back >= charge.amount_minor else disputed(charge)
        if disputes.in_the_way(found):
            outside_records.require_decided(order, charge, found, owed_minor=owed)
            with begin() as session:
                dispute_settlements.require_none(session, order, charge, found, owed_minor=owed)
                vat = vat_at_bank.payable_by_a_person(session, order, charge)
                end_disputed(session, order_id, by=by, why=why, now=now())  # only to find out whether it can be
                raise NotPossible(  # and this undoes it
                    disputes.why_not(order.number, found, owed_minor=owed, vat_minor=vat, currency=charge.currency)
                )
    with begin() as session:
        return refund(session, order_id, by=by, why=why, now=now())


def end_disputed(session: Session, order_id: UUID, *, by: str, why: str, now: datetime) -> int:
    """`refund`, once all of the charge is back by the customer's bank or by other means. Raises NotPossible, with what to do then: nobody is to pay for what can never be ended.

    Where another has recorded it meanwhile, that says who.
    """
    order = locked(session, order_id)
    charge = refunded.succeeded_charge(session, order)
    of_what = f"what order {order.number} was charged"
    if charge is not None and (meanwhile := outside_records.recorded_by(session, charge, of_what)):
        raise NotPossible(meanwhile)
    try:
        return refund(session, order_id, by=by, why=why, now=now, is_back=True)
    except NotPossible as refused:
        # Its advice is for whoever has the money: what is unused is with the bank, and the provider refunds no rest.
        raise NotPossible(
            f"{refused.why}, so nothing ends by paying. What to do then: docs/disputes.md, A disputed charge"
        ) from None


def refund(session: Session, order_id: UUID, *, by: str, why: str, now: datetime, is_back: bool = False) -> int:
    """Refund everything that a completed purchase was charged, and end what it bought; `refund_payment` carries it out.

    Returns how many users lose their seats with it: whoever buys again assigns them anew.

    If all of the charge is back already, so that only the credit note is missing, what it bought may be over: that stays as it is.
    is_back: it is, by the customer's bank or by other means, with what was refunded in the provider's dashboard.
    The amount by which the charge was rounded up is taken from the balance again. Trials of the same order cost nothing and go on.
    Raises NotPossible if nothing was charged to a card, if balance that the order brought cannot be taken back, unless everything else in the order is a purchase that is still
    as it was bought, or if a part of the charge went back elsewhere, or VAT was left to a person: in this sequence, so that nobody is sent to refund the rest in vain.
    """
    order = locked(session, order_id, with_lines=True)
    if order.status is not OrderStatus.COMPLETED:
        raise NotPossible(
            f"order {order.number} is {order.status}, only a completed one can be refunded{_instead(order)}"
        )
    charge = refunded.succeeded_charge(session, order)
    if charge is None:
        raise NotPossible(f"order {order.number} charged no card{_paid_otherwise(order)}")
    elsewhere = 0 if is_back else refunds_elsewhere.sum_minor(session, order_id, charge.attempt)
    lock_account(session, order.account_id)
    try:
        unassigned = _end(session, order, now, is_back=is_back or elsewhere > 0)
    except NotPossible as refused:
        if elsewhere <= 0:
            raise
        # Its advice is for whoever has had nothing back: what is unused cannot be credited any more, and refunding the rest would end nothing.
        raise NotPossible(f"{refused.why}. What to do then: {_THE_PAGE}") from None
    if not is_back and (refusal := _first_there(session, order, charge, elsewhere)):
        raise NotPossible(refusal)
    unsent_letters.no_longer_owed(session, order_id)
    timeline.note(session, order_id, Kind.REFUND_REQUESTED, {"by": by, "why": why, "unassigned": unassigned})
    waiting_orders.reopen(
        session, order_id, out_of=(OrderStatus.COMPLETED,), step=Step.REFUND_PAYMENT, why=f"refund by {by}"
    )
    session.execute(update(Order).where(Order.id == order_id).values(reason=REFUNDED_BY_SUPPORT, finished_at=None))
    return unassigned


def _instead(order: Order) -> str:
    """What can be done instead about an order that is not completed."""
    if order.status in FINAL:
        return ""
    if order.next_step in BACK:
        return "; it is being undone already"
    return f"; {let_it_complete(order) or 'cancel it instead'}"


def _paid_otherwise(order: Order) -> str:
    """Why there is nothing to refund to a card and, if the order cost something, what can be done instead."""
    if order.payment_kind is PaymentKind.INVOICE:
        return f": it is paid by invoice, and no command takes that back; {FEWER_SEATS}"
    if order.balance_used_minor:
        return f": the account's balance paid for it, and no command takes that back; {FEWER_SEATS}"
    return ", so there is nothing to give back to one"


def _end(session: Session, order: Order, now: datetime, *, is_back: bool) -> int:
    """Take back what the order added to the balance, and end what it bought. Raises NotPossible. Returns how many users lose their seats."""
    if credited := _vat_credited(session, order.id):
        raise NotPossible(
            f"{format_amount(credited, order.currency)} of what order {order.number} was charged is on the account's balance "
            "already, as VAT that was not due; giving the whole charge back would give that twice",
            advice=_THE_REST,
        )
    _take_rounding_back(session, order)
    purchases = [line for line in order.lines if line.action is not Action.TRIAL]
    return sum(_end_purchase(session, order, line, now, is_back=is_back) for line in purchases)


def _first_there(session: Session, order: Order, charge: ChargeAttempt, elsewhere_minor: int) -> str | None:
    """What a person has to refund in the provider's dashboard first, as our own refund is for the whole; None if nothing or all went back there, and no VAT was to be paid by other means."""
    rest = max(0, charge.amount_minor - elsewhere_minor)
    vat = min(rest, vat_at_bank.payable_by_a_person(session, order, charge))
    if not rest or not (elsewhere_minor or vat):
        return None
    all_of_it = format_amount(rest, charge.currency)
    begins = (
        f"a part of what order {order.number} was charged went back in the provider's dashboard. Refund the remaining {all_of_it} there, too"
        if elsewhere_minor
        else f"VAT of order {order.number} was left to a person. Refund {all_of_it} in the provider's dashboard"
    )
    told = f"{begins}; then this command finds that all of it is back, and ends what was bought"
    if not vat:
        return told
    only = f"only {format_amount(rest - vat, charge.currency)}" if rest > vat else "nothing"
    return (
        f"{told}. Of that {format_amount(vat, charge.currency)} is VAT that was to be paid by other means than a refund in the dashboard, once: if it was, refund {only} there, "
        f"and run `prorata orders refunded-outside {order.number} --rest-paid --paid {major(vat, charge.currency)}`"
    )


def _vat_credited(session: Session, order_id: UUID) -> int:
    """VAT that turned out not to be due and was credited to the balance later."""
    query = select(LedgerMovement.amount_minor).where(LedgerMovement.cause == cause_of(order_id, Cause.VAT_CREDIT))
    return session.scalar(query) or 0


def _take_rounding_back(session: Session, order: Order) -> None:
    """Take back from the balance what the charge was rounded up by, because it goes back to the card with the charge.

    Balance that paid for the order is released first, not only when it ends: it may be what is left to take this from.
    """
    if not order.to_balance_minor:
        return
    reservation.release(session, order, OrderStatus.REFUNDED, Step.REFUND_PAYMENT)
    try:
        ledger.post_for(
            session,
            order,
            MovementKind.RESERVED,
            -order.to_balance_minor,
            cause=Cause.TAKE_BACK,
            step=Step.REFUND_PAYMENT,
            note="what the charge was rounded up by goes back to the card",
        )
    except BalanceTooLow:
        raise NotPossible(
            f"the charge of order {order.number} was rounded up by {format_amount(order.to_balance_minor, order.currency)}, which became "
            "balance and is spent; giving the whole charge back would give that twice",
            advice=_THE_REST,
        ) from None


def _end_purchase(session: Session, order: Order, line: OrderLine, now: datetime, *, is_back: bool) -> int:
    """is_back: all that it was charged went back already, even if it is over. Returns how many users had seats on it."""
    if line.action is not Action.PURCHASE:
        raise NotPossible(
            f"order {order.number} changed what was there before, and that cannot be brought back", advice=FEWER_SEATS
        )
    subscription = session.scalar(select(Subscription).where(Subscription.id == line.subscription_id).with_for_update())
    running = running_period(session, subscription) if subscription else None
    period = period_of(session, line)
    if is_back and period is not None and period.ran_out:
        return 0
    if subscription is None or running is None or running.order_id != order.id:
        raise _overtaken(session, order, running, period)
    running.closed_at = now
    running.unused_minor = running.charged_minor
    running.unused_tax_minor = running.tax_minor
    subscription.status = SubscriptionStatus.ENDED
    sat = update(SeatAssignment).where(SeatAssignment.subscription_id == subscription.id, SITS)
    return len(session.scalars(sat.values(unassigned_at=now).returning(SeatAssignment.id)).all())


def _overtaken(
    session: Session, order: Order, running: SubscriptionPeriod | None, period: SubscriptionPeriod | None
) -> NotPossible:
    """Why refunding the order cannot end what it bought. running: the subscription's running period, which belongs to another order; period: the order's."""
    was_changed = period is not None and period.closed_at is not None and not period.ran_out
    if was_changed or (running is not None and _changed(session, running)):
        return NotPossible(
            f"what order {order.number} bought was changed by a later order, and that cannot be brought back",
            advice=FEWER_SEATS,
        )
    return NotPossible(
        f"what order {order.number} bought is over already, so there is nothing of it to end",
        advice="if you give all of the charge back in the provider's dashboard, run this command again: it then issues the credit note",
    )


def _changed(session: Session, period: SubscriptionPeriod) -> bool:
    """Whether the period began with a change, not with a purchase."""
    action = select(OrderLine.action).where(
        OrderLine.order_id == period.order_id, OrderLine.subscription_id == period.subscription_id
    )
    return session.scalar(action) is Action.CHANGE
