"""Every kind of data about people, whether it may be erased, and if not, why it stays."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func
from sqlalchemy.orm import Session

from tasks.personal_data import finding, replacing, telling
from tasks.personal_data.person import Person, named_in, person, texts
from tasks.personal_data.telling import Told, columns


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    name: str
    what: str
    rows: Callable[[Person], finding.Found]
    tell: Callable[[Any, Person], Told]
    concerns: Callable[[Any, Person], bool] | None = None
    """whether a row that was found is really theirs; None where SQL alone can tell"""
    erase: Callable[[Any, Person], None] | None = None
    """makes the person unrecognizable in a row; None where it `stays`"""
    stays: str = ""
    """why"""


EVIDENCE: Final = "evidence for the tax, which the law requires to be kept (GDPR, article 17(3)(b))"
HOLDINGS: Final = (
    Holding(
        name="contacts",
        what="name and email address",
        rows=finding.contacts,
        tell=columns("id", "account_id", "name", "email", "is_billing_contact"),
        erase=replacing.contact,
    ),
    Holding(
        name="seats",
        what="email address",
        rows=finding.seats,
        tell=columns("id", "subscription_id", "user_email", "assigned_at", "unassigned_at"),
        erase=replacing.seat,
    ),
    Holding(
        name="support_cases",
        what="what was asked, in words",
        rows=finding.support_cases,
        tell=telling.support_case,
        concerns=lambda row, of: finding.asked_for(row[0], of),
        erase=replacing.support_case,
    ),
    Holding(
        name="reasons",
        what="name and email address in the reason of an order",
        rows=finding.named_in_reasons,
        tell=telling.reason,
        concerns=lambda row, of: bool(named_in(row[0].reason_facts, of)),
        erase=replacing.reason,
    ),
    Holding(
        name="accounts",
        what="the customer's name, address and VAT number",
        rows=finding.accounts,
        tell=columns("id", "name", "buyer_type", "country", "postcode", "address", "vat_number", "customer_ref"),
        stays="of the customer, not of a contact; for documents still to come",
    ),
    Holding(
        name="payment_methods",
        what="brand and last four digits of a card",
        rows=finding.payment_methods,
        tell=columns("account_id", "brand", "last4", "status", "created_at"),
        stays="of the customer, not of a contact",
    ),
    Holding(
        name="orders",
        what="whom they were sold to; the contact by id",
        rows=finding.orders,
        tell=columns(
            *("id", "number", "account_id", "contact_id", "status", "language", "currency", "total_minor"),
            *("sold_to", "vat_number", "created_at", "finished_at"),
        ),
        stays=EVIDENCE,
    ),
    Holding(
        name="charges",
        what="when a card was charged or declined, and why",
        rows=finding.charges,
        tell=columns("attempt", "status", "amount_minor", "currency", "decline_code", "created_at", "settled_at"),
        stays=EVIDENCE,
    ),
    Holding(
        name="invoices",
        what="the buyer, with the contact's name; the card",
        rows=finding.invoices,
        tell=columns("number", "kind", "issued_on", "buyer", "card", "currency", "total_minor"),
        stays=EVIDENCE,
    ),
    Holding(
        name="vat_checks",
        what="the VAT registry's answer: name and address",
        rows=finding.vat_checks,
        tell=columns(
            *("account_id", "number", "status", "asked_at", "consultation_number"),
            *("registered_name", "registered_address"),
        ),
        stays=EVIDENCE,
    ),
    Holding(
        name="quotes",
        what="for whom they were; the contact by id",
        rows=finding.quotes,
        tell=columns("id", "account_id", "contact_id", "sold_to", "vat_number", "created_at", "expires_at"),
        stays="part of an order; any other is deleted thirty days after it expired",
    ),
    Holding(
        name="letters",
        what="kind and time; the contact by id",
        rows=finding.letters,
        tell=columns("kind", "status", "message_id", "sent_at"),
        stays="so that none is sent twice; the text is not stored",
    ),
    Holding(
        name="webhooks",
        what="the payment provider's notifications, as received",
        rows=finding.webhooks,
        tell=telling.webhook,
        concerns=lambda row, of: any(map(of.is_named_in, texts(telling.payload(row[0])))),
        stays="deleted thirty days after they were handled",
    ),
)
"""First what is erased. Amounts and documents depend on none of it."""


BATCH = 500
"""rows read at once: who ordered often may have a million of them"""


def find(session: Session, holding: Holding, of: Person, *, lock: bool = False) -> list[Any]:
    """The person's rows of this kind. lock: until the end of the transaction."""
    query = holding.rows(of)
    if lock:
        query = query.with_for_update(of=query.column_descriptions[0]["entity"])
    return list(_concerned(session.execute(query), holding, of))


def count(session: Session, holding: Holding, of: Person) -> int:
    if holding.concerns is not None:
        return sum(1 for _ in _read(session, holding, of))
    query = holding.rows(of).with_only_columns(func.count(), maintain_column_froms=True).order_by(None)
    return session.execute(query).scalar_one()


def told(session: Session, email: str) -> Iterator[tuple[str, Iterator[Told]]]:
    """Everything that is held about the person, by kind of data; read as it is taken, one kind after the other."""
    of = person(session, email)
    for kind in HOLDINGS:
        yield kind.name, (kind.tell(row, of) for row in _read(session, kind, of))


def _read(session: Session, holding: Holding, of: Person) -> Iterator[Any]:
    rows = session.execute(holding.rows(of).execution_options(yield_per=BATCH))
    return _concerned(rows, holding, of)


def _concerned(rows: Iterable[Any], holding: Holding, of: Person) -> Iterator[Any]:
    return (row for row in rows if holding.concerns is None or holding.concerns(row, of))
