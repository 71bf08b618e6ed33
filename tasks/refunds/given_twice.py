"""What a customer has of a charge more than it was, since a person recorded what they paid of it: who gave back how much."""

from collections.abc import Sequence

from models.rules.currency import format_amount
from models.states import DisputeStatus
from tasks.ports import Dispute


def told(
    of_what: str,
    disputed: Sequence[Dispute],
    *,
    amount_minor: int,
    paid_minor: int,
    refunded_minor: int,
    currency: str,
) -> str:
    """of_what: the charge, of `amount_minor`. disputed: its disputes, none of which took a sum in another currency.

    paid_minor: what a person recorded as paid. refunded_minor: what the provider refunded, as it does in its dashboard; ours would have been of the whole.
    """
    taken_minor = sum(each.amount_minor for each in disputed if each.status is DisputeStatus.LOST)
    twice, paid, refunded, taken = (
        format_amount(minor, currency)
        for minor in (paid_minor + refunded_minor + taken_minor - amount_minor, paid_minor, refunded_minor, taken_minor)
    )
    sources = [f"{paid} was recorded as paid by `prorata orders refunded-outside`"]
    if refunded_minor:
        sources.append(f"{refunded} was refunded in the provider's dashboard")
    if taken_minor:
        sources.append(f"{taken} was taken back by their bank (lost)")
    proof = ", and send the bank proof of what the customer has besides" if taken_minor else ""
    return f"the customer has {twice} of {of_what} twice: {', '.join(sources)}. Pay nothing more{proof}"
