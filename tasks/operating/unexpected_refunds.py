"""Record that money which an order had no use for was given back outside the provider."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.orders import Order
from models.payments import ChargeAttempt
from models.rules.currency import format_amount
from models.states import ATTEMPT_UNDER_WAY
from tasks.operating import outside_records
from tasks.operating.order_at_hand import NotPossible, disputed, locked
from tasks.ports import Dispute
from tasks.refunds import disputes, refunded
from tasks.wiring import begin


def settle(
    order_id: UUID, charge_ref: str, *, by: str, why: str, rest_paid: bool = False, paid_now: str | None = None
) -> tuple[int, str] | None:
    """Record that money which the order had no use for was given back by other means, of which the customer's bank does not return all.

    Returns what was owed of it, in minor units of which currency: what neither the provider nor the bank gave back. None if the bank took a sum in another.

    Without a dispute, a refund of it must have failed, or have been refused, as it is once a part went back elsewhere: ours is of the whole.
    Once more, if a dispute has gone on since it was recorded, or a refund failed, and the customer is owed more: that is then what was owed.
    rest_paid: the bank took a sum in another currency for good, and what that left was paid by other means. paid_now: what a person says that they paid, if they do: refused if that is not owed.
    What the provider refunded is noted even if that is refused. Raises NotPossible; TemporarilyUnavailable, Misconfigured: the provider could not be asked.
    """
    of_what = f"unexpected charge {charge_ref}"
    with begin() as session:
        order, charge = _unexpected(session, order_id, charge_ref)
        paid, times = refunded.paid_minor(session, charge), outside_records.times_recorded(session, charge)
        is_for_a_person = paid is not None or refunded.is_for_a_person(session, charge)
        newest = disputes.newest_entry(session, order_id)
    back = outside_records.went_back_minor(charge)
    if back >= charge.amount_minor:
        raise NotPossible(f"the provider has given back {of_what}")
    found, owed = disputed(charge)
    if disputes.in_the_way(found) is None and not (is_for_a_person or back):
        raise NotPossible(f"{of_what} goes back by itself: no refund of it has failed or was refused")
    left = outside_records.left_minor(order, charge, found, owed_minor=owed, back_minor=back)
    if paid is not None:
        left = outside_records.left_since(charge, of_what, found, left, paid_minor=paid, back_minor=back)
    elif outside_records.is_lost(found) and not owed:
        _require_rest_of_unexpected_paid(charge, found, rest_paid=rest_paid)
    outside_records.require_paid(charge, of_what, left, paid=paid_now)
    with begin() as session:
        order, charge = _unexpected(session, order_id, charge_ref)
        if outside_records.times_recorded(session, charge) != times:
            meanwhile = outside_records.recorded_by(session, charge, of_what)
            raise NotPossible(meanwhile or outside_records.is_back_already(of_what))
        # Only a dispute, or a refusal of the last request, keeps the provider from making a refund that is under way.
        if disputes.in_the_way(found) is None and refunded.is_under_way(session, charge):
            raise NotPossible(
                f"a refund of {of_what} is under way: do not pay; look again in a minute, with `prorata orders show {order.number}`"
            )
        outside_records.record(session, order, charge, by=by, why=why, found=found, newest=newest, owed_minor=left)
    return None if left is None else (left, charge.currency)


def _require_rest_of_unexpected_paid(charge: ChargeAttempt, lost: Sequence[Dispute], *, rest_paid: bool) -> None:
    """Raises NotPossible if the bank took all of an unexpected charge, or a sum in another currency and nobody says that the rest was paid."""
    if not disputes.is_foreign(lost, charge.currency):
        raise NotPossible(
            f"the customer's bank has taken back all of unexpected charge {charge.ref} ({disputes.named(lost)}, lost): nothing is owed"
        )
    if not rest_paid:
        raise NotPossible(
            f"{outside_records.taken(lost, f'unexpected charge {charge.ref}')}, which was of {format_amount(charge.amount_minor, charge.currency)}: compare the sums. "
            "If that is less than all, pay the rest by other means, and add --rest-paid; otherwise nothing is owed"
        )


def _unexpected(session: Session, order_id: UUID, charge_ref: str) -> tuple[Order, ChargeAttempt]:
    """The order, locked, and a charge that it has no use for, unless it was given back, and not as somebody recorded. Raises NotPossible."""
    order = locked(session, order_id)
    made = select(ChargeAttempt).where(ChargeAttempt.order_id == order_id, ChargeAttempt.ref == charge_ref)
    charge = session.scalar(made)
    if charge is None or not refunded.is_unexpected(session, charge):
        raise NotPossible(f"{charge_ref} is no unexpected charge of order {order.number}")
    if charge.status in ATTEMPT_UNDER_WAY:
        raise NotPossible(
            f"order {order.number} waits for {charge_ref} to go back before it charges what is due: run `prorata orders cancel {order.number}` first, "
            f"then `prorata orders refunded-outside {order.number}`, without --charge"
        )
    if refunded.is_refunded(session, charge) and refunded.paid_minor(session, charge) is None:
        raise NotPossible(outside_records.is_back_already(f"unexpected charge {charge.ref}"))
    return order, charge
