"""Finds a person's rows: of each kind of data the row of one table, with what identifies it to a reader beside it."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, and_, cast, func, or_, select, text
from sqlalchemy.orm import InstrumentedAttribute

from models.accounts import Account, Contact, PaymentMethod, VatCheck
from models.any_locale import may_contain
from models.invoices import Invoice
from models.messages import SentLetter, WebhookReceived
from models.orders import NAMES_SOMEBODY, Order, OrderEvent, Quote
from models.payments import ChargeAttempt
from models.states import FINAL
from models.subscriptions import SeatAssignment, Subscription
from models.support_cases import SupportCase
from models.timeline_kinds import Kind
from tasks.personal_data.person import Person

Found = Select[*tuple[Any, ...]]


def contacts(of: Person) -> Found:
    account = Account.name.label("account")
    return select(Contact, account).join(Account, Account.id == Contact.account_id).where(Contact.id.in_(of.contacts))


def seats(of: Person) -> Found:
    held = select(SeatAssignment, Subscription.account_id, Subscription.product_code)
    held = held.join(Subscription, Subscription.id == SeatAssignment.subscription_id)
    return held.where(SeatAssignment.user_email == of.email).order_by(SeatAssignment.assigned_at)


def support_cases(of: Person) -> Found:
    """Those that `asked_for` tells from others that name only an address which is like it are among them."""
    words = SupportCase.text + " " + func.coalesce(SupportCase.closed_why, "")
    mentioned = may_contain(words, of.email)
    theirs = select(SupportCase).where(or_(SupportCase.contact_id.in_(of.contacts), mentioned))
    return theirs.order_by(SupportCase.number)


def asked_for(case: SupportCase, of: Person) -> bool:
    return case.contact_id in of.contacts or of.is_named_in(case.text) or of.may_be_named_in(case.closed_why or "")


def named_in_reasons(of: Person) -> Found:
    """Orders that have ended, whoever placed them, and perhaps some that name only an address which is like it."""
    mentioned = may_contain(cast(Order.reason_facts, Text), of.email)
    return select(Order).where(Order.status.in_(FINAL), text(NAMES_SOMEBODY), mentioned).order_by(Order.number)


def accounts(of: Person) -> Found:
    return _of_accounts(select(Account), Account.id, of)


def vat_checks(of: Person) -> Found:
    return _of_accounts(select(VatCheck), VatCheck.account_id, of).order_by(VatCheck.asked_at)


def payment_methods(of: Person) -> Found:
    return _of_accounts(select(PaymentMethod), PaymentMethod.account_id, of).order_by(PaymentMethod.created_at)


def orders(of: Person) -> Found:
    return select(Order).where(placed(of)).order_by(Order.number)


def charges(of: Person) -> Found:
    return _of_orders(select(ChargeAttempt), ChargeAttempt.order_id, of).order_by(ChargeAttempt.attempt)


def invoices(of: Person) -> Found:
    return _of_orders(select(Invoice), Invoice.order_id, of)


def letters(of: Person) -> Found:
    return _of_orders(select(SentLetter), SentLetter.order_id, of)


def quotes(of: Person) -> Found:
    return select(Quote).where(theirs(Quote, of)).order_by(Quote.as_of)


def theirs(table: type[Order | Quote], of: Person) -> ColumnElement[bool]:
    """A contact's orders and quotes are its account's, and accounts have an index."""
    return and_(table.account_id.in_(of.accounts), table.contact_id.in_(of.contacts))


def placed(of: Person) -> ColumnElement[bool]:
    """Their orders, and those that another contact has gone on with since.

    Not by EXISTS, for which PostgreSQL would read the timelines of all accounts' orders at once, where the account has many.
    """
    former = OrderEvent.facts["from_contact_id"].astext.in_([str(each) for each in of.contacts])
    reopened = OrderEvent.order_id == Order.id, OrderEvent.kind == Kind.ORDER_REOPENED
    handed_on = select(OrderEvent.id).where(*reopened, former).correlate(Order).limit(1).scalar_subquery()
    return and_(Order.account_id.in_(of.accounts), or_(Order.contact_id.in_(of.contacts), handed_on.is_not(None)))


def webhooks(of: Person) -> Found:
    """Those in whose bytes the address may stand, as it is or as JSON may escape it, and perhaps some with only one that is like it."""
    naming = select(WebhookReceived).where(may_contain(func.encode(WebhookReceived.payload, "escape"), of.email))
    return naming.order_by(WebhookReceived.received_at)


def _of_accounts(rows: Found, account_id: InstrumentedAttribute[UUID], of: Person) -> Found:
    """Of the accounts that the person is a contact of."""
    return rows.where(account_id.in_(select(Contact.account_id).where(Contact.id.in_(of.contacts))))


def _of_orders(rows: Found, order_id: InstrumentedAttribute[UUID], of: Person) -> Found:
    """Of the orders that are in the person's name: what came of one that another contact has gone on with names that one."""
    in_their_name = rows.add_columns(Order.number.label("order")).join(Order, Order.id == order_id)
    return in_their_name.where(theirs(Order, of)).order_by(Order.number)
