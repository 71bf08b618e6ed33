"""Every table, in one import: what migrations compare with the database."""

from models import accounts, api_keys, carts, catalogue, ledger, messages, orders, payments, subscriptions
from models.base import Base

metadata = Base.metadata

__all__ = [
    "accounts",
    "api_keys",
    "carts",
    "catalogue",
    "ledger",
    "messages",
    "metadata",
    "orders",
    "payments",
    "subscriptions",
]
