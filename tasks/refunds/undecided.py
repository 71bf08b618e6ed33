"""Disputes for which the customer's bank has taken nothing yet, and still may: until they are decided, nothing of their charge is to be paid by other means."""

from collections.abc import Sequence

from models.states import TAKEN_BACK, DisputeStatus
from tasks.ports import Dispute
from tasks.refunds import disputes


def why_wait(of_what: str, found: Sequence[Dispute]) -> str | None:
    """Why nothing of a charge is to be paid by other means, and what to do instead; None if no dispute of it is such a one.

    of_what: the charge. found: its disputes. The provider may refund it all the same, if none is `disputes.in_the_way`.
    """
    waiting = [each for each in found if _may_take(each)]
    if not waiting:
        return None
    taken = [each for each in found if each.status in TAKEN_BACK and each not in waiting]
    may_take = f"may still take {disputes.total(waiting)}"
    if taken:
        is_lost = all(each.status is DisputeStatus.LOST for each in taken)
        back = f"back for good ({disputes.refs(taken)}, lost)" if is_lost else f"back ({disputes.refs(taken)})"
        told = f"the customer's bank has taken {disputes.total(taken)} of {of_what} {back}, and {may_take}"
    else:
        told = f"the customer's bank {may_take} of {of_what}"
    asks = any(each.status is DisputeStatus.INQUIRY for each in waiting)
    if disputes.in_the_way(found) is None:
        wait = "answer the inquiry there, and wait until it is closed" if asks else "wait until it is decided"
        what_to_do = f"Refund it in the provider's dashboard, which closes it, or {wait}"
    elif asks:
        what_to_do = "Answer the inquiry in the provider's dashboard, and wait until it is closed"
    else:
        what_to_do = "Wait until it is decided"
    return f"{told} ({disputes.refs(waiting)}), about which it has not decided yet; {disputes.DO_NOT_PAY}. {what_to_do}"


def _may_take(dispute: Dispute) -> bool:
    return dispute.status is DisputeStatus.INQUIRY or (
        dispute.status is DisputeStatus.CHARGEBACK and dispute.refundable
    )
