"""What stands in a row's place for the person, once they are erased."""

from typing import Any, Final

from models.accounts import ERASED_AT, Contact
from models.orders import Order
from models.subscriptions import SeatAssignment
from models.support_cases import SupportCase
from tasks.personal_data.person import Person, with_texts
from tasks.wiring import now

ERASED: Final = "(erased)"
"""for a name or a text"""


def contact(row: Any, _: Person) -> None:
    """The address stays unique within its account."""
    found: Contact = row[0]
    found.name, found.email = ERASED, f"{found.id}@{ERASED_AT}"
    found.is_billing_contact, found.erased_at = False, now()


def seat(row: Any, _: Person) -> None:
    found: SeatAssignment = row[0]
    found.user_email = f"user@{ERASED_AT}"


def support_case(row: Any, of: Person) -> None:
    """The person's own words; what others wrote only where it names the person."""
    found: SupportCase = row[0]
    found.text = ERASED if found.contact_id in of.contacts else _without(found.text, of)
    if of.may_be_named_in(found.closed_why or ""):
        found.closed_why = ERASED


def reason(row: Any, of: Person) -> None:
    """Only what names the person; the order's text still names the others."""
    found: Order = row[0]
    found.reason_facts = _without(found.reason_facts, of)


def _without(facts: Any, of: Person) -> Any:
    return with_texts(facts, lambda text: ERASED if of.is_named_in(text) else text)
