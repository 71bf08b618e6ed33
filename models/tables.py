"""Imports every table, so that migrations can compare all of them with the database."""

from models import (
    accounts,
    api_keys,
    books_checks,
    carts,
    catalogue,
    erasures,
    invoices,
    ledger,
    lost_numbers,
    messages,
    orders,
    payments,
    rejected_messages,
    subscriptions,
    support_cases,
    vat_follow_ups,
    withdrawn_payments,
)
from models.base import Base

metadata = Base.metadata

__all__ = [
    "accounts",
    "api_keys",
    "books_checks",
    "carts",
    "catalogue",
    "erasures",
    "invoices",
    "ledger",
    "lost_numbers",
    "messages",
    "metadata",
    "orders",
    "payments",
    "rejected_messages",
    "subscriptions",
    "support_cases",
    "vat_follow_ups",
    "withdrawn_payments",
]
