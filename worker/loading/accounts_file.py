"""Accounts as a readable file, for demos, tests and migration: who buys, who may order, how they pay, what they have already.

accounts:
  nordwind:                               # a short code; the account's id is made from it, so loading twice makes it once
    name: Nordwind GmbH
    country: DE
    currency: EUR
    language: de                          # en unless given; timezone: UTC, kind: self_serve, buyer_type: business
    timezone: Europe/Berlin
    postcode: "20457"                     # optional
    address: Am Sandtorkai 1, 20457 Hamburg   # optional; invoices in the Union must name it
    vat_number: DE136695976               # optional
    balance: "25.00"                      # optional; granted once
    payment_method: pm_card_visa          # optional; a token of the payment provider
    contacts:
      - {name: Anna Krüger, email: anna@nordwind.example, billing_contact: true}
    subscriptions:                        # optional; each is ordered and charged, with effect from that day
      - {product: board, tier: team, seats: 10, interval: month, bought: 10 days ago}
      - {product: docs, tier: team, seats: 3, trial: true, bought: 20 days ago}

What the file leaves out, of an account or of a contact, stays as it is when it is loaded again: customers may have set it themselves.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from email_validator import EmailNotValidError, validate_email
from yaml.nodes import Node

from models.accounts import AccountKind, Language
from models.rules.cart import MAX_SEATS, Action, CartLine
from models.rules.country import country_for_vat
from models.rules.period import Interval
from models.rules.timezone import zone
from models.rules.vat import BuyerType
from tasks.plain_text import looks_encoded
from worker.loading import readable_file
from worker.loading.readable_file import FileRefused, Place
from worker.loading.readable_values import code, currency, flag, member, minor, proper_name, text, whole

_NAMESPACE = uuid5(NAMESPACE_URL, "https://prorata.example/accounts")


def account_id(account: str) -> UUID:
    """The id of the account with this code."""
    return uuid5(_NAMESPACE, account)


def account_called(name: str) -> UUID:
    """The id of the account that a person names by its code, or by the id itself."""
    try:
        return UUID(name)
    except ValueError:
        return account_id(name)


def contact_id(account: str, email: str) -> UUID:
    return uuid5(account_id(account), email.lower())


@dataclass(frozen=True, slots=True)
class ContactListed:
    name: str
    email: str
    is_billing_contact: bool | None
    """None where the file does not say: a new contact is then none, an existing one keeps its flag"""


@dataclass(frozen=True, slots=True)
class PaymentMethodListed:
    line: int
    token: str


@dataclass(frozen=True, slots=True)
class SubscriptionListed:
    line: int
    cart: CartLine
    age: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountListed:
    code: str
    line: int
    columns: dict[str, Any]
    """columns of the accounts table, as the file gives them; those that it leaves out are missing here"""
    balance_minor: int
    payment_method: PaymentMethodListed | None
    contacts: tuple[ContactListed, ...]
    subscriptions: tuple[SubscriptionListed, ...]

    @property
    def id(self) -> UUID:
        return account_id(self.code)


@dataclass(frozen=True, slots=True)
class AccountsFile:
    file: Path
    accounts: tuple[AccountListed, ...]


def read(file: Path) -> AccountsFile:
    """Raises FileRefused with every problem and its line."""
    document = readable_file.read(file)
    fields = document.fields(required=["accounts"])
    entries = fields["accounts"].entries(code) if "accounts" in fields else {}
    accounts = [account for name, entry in entries.items() if (account := _account(name, entry))]
    if document.problems:
        raise FileRefused(file, document.problems)
    return AccountsFile(file, tuple(accounts))


def _account(name: str, place: Place) -> AccountListed | None:
    given = place.fields(
        required=["name", "country", "currency", "contacts"],
        optional=["kind", "buyer_type", "language", "timezone", "postcode", "address", "vat_number", "balance",
                  "payment_method", "subscriptions"],
    )  # fmt: skip
    paid_in = given.value("currency", currency)
    called = given.value("name", proper_name)
    country = given.value("country", _country)
    details = {
        "kind": given.value("kind", member, AccountKind),
        "buyer_type": given.value("buyer_type", member, BuyerType),
        "language": given.value("language", member, Language),
        "timezone": given.value("timezone", _timezone),
        "postcode": given.value("postcode", text, longest=20),
        "address": given.value("address", text, longest=500, lines=True),
        "vat_number": given.value("vat_number", text, longest=30),
    }
    listed: dict[str, Any] = {
        "balance_minor": (given.value("balance", minor, currency=paid_in) if paid_in else None) or 0,
        "payment_method": _payment_method(given["payment_method"]) if "payment_method" in given else None,
        "contacts": _contacts(given["contacts"]) if "contacts" in given else (),
        "subscriptions": _subscriptions(given["subscriptions"]) if "subscriptions" in given else (),
    }
    if listed["balance_minor"] and listed["subscriptions"]:
        given["balance"].wrong("would be spent on the listed subscriptions first; give one or the other")
    if not (called and country and paid_in):
        return None
    given_details = {column: value for column, value in details.items() if value is not None}
    columns = {"name": called, "country": country, "currency": paid_in, **given_details}
    return AccountListed(code=name, line=place.line, columns=columns, **listed)


def _payment_method(place: Place) -> PaymentMethodListed | None:
    token = place.read(text, longest=255)
    return PaymentMethodListed(place.line, token) if token else None


def _contacts(place: Place) -> tuple[ContactListed, ...]:
    found: dict[str, ContactListed] = {}
    for item in place.items():
        given = item.fields(required=["name", "email"], optional=["billing_contact"])
        called = given.value("name", proper_name)
        address = given.value("email", _email)
        billing = given.value("billing_contact", flag)
        if address in found:
            item.wrong(f"{address} is listed twice")
        elif called and address:
            found[address] = ContactListed(called, address, billing)
    return tuple(found.values())


def _subscriptions(place: Place) -> tuple[SubscriptionListed, ...]:
    """At most one per product: an account cannot have more, and its order's idempotency key is made from the product."""
    found: dict[str, SubscriptionListed] = {}
    for item in place.items():
        listed = _subscription(item)
        if listed and listed.cart.product in found:
            item.wrong(f"{listed.cart.product} is listed twice")
        elif listed:
            found[listed.cart.product] = listed
    return tuple(found.values())


def _subscription(place: Place) -> SubscriptionListed | None:
    given = place.fields(required=["product", "tier", "seats", "bought"], optional=["interval", "trial"])
    product = given.value("product", code)
    tier = given.value("tier", code)
    seats = given.value("seats", whole, least=1, most=MAX_SEATS)
    age = given.value("bought", _age)
    interval = given.value("interval", member, Interval)
    trial = bool(given.value("trial", flag))
    if trial == ("interval" in given):
        place.wrong("needs an interval (month or year), or trial: true, and not both")
    if product is None or tier is None or seats is None or age is None:
        return None
    action = Action.TRIAL if trial else Action.PURCHASE
    return SubscriptionListed(place.line, CartLine(action, product, tier, seats, interval), age)


def _age(node: Node) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,3}) days? ago", text(node))
    if found is None:
        raise ValueError(f"must be like '10 days ago', is {text(node)!r}")
    return timedelta(days=int(found[1]))


def _country(node: Node) -> str:
    country = text(node)
    if country_for_vat("country", country) != country:
        raise ValueError(f"must be a two-letter ISO 3166 country code such as 'DE', is {country!r}")
    return country


def _timezone(node: Node) -> str:
    return zone(text(node)).key


def _email(node: Node) -> str:
    try:
        address = validate_email(
            text(node, longest=254), check_deliverability=False, test_environment=True
        ).normalized.lower()
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    if looks_encoded(address):
        raise ValueError("must not contain =?, where mail programs see encoded text")
    return address
