"""Who may order at all: billing contacts, of self-service accounts.

Only the account's billing contacts may order; corporate accounts are refused here and pointed to the Corporate Billing Portal.
"""

from models.rules.refusals import MOST_NAMED, Refusal, RefusalCode


def against_buyer(*, is_billing_contact: bool, corporate: bool, billing_contacts: tuple[str, ...]) -> Refusal | None:
    """The reason why this person, or this account, may not order here; None where they may."""
    if not is_billing_contact:
        return Refusal(
            RefusalCode.NOT_A_BILLING_CONTACT, facts={"billing_contacts": list(billing_contacts[:MOST_NAMED])}
        )
    return Refusal(RefusalCode.CORPORATE_ACCOUNT) if corporate else None
