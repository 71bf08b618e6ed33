"""Customers: create, retrieve, delete."""

from typing import Any

from api_stub.stand_ins.stripe.errors import JsonObject, invalid, missing
from api_stub.stand_ins.stripe.ledger import Ledger, new_id

COVERED = frozenset({"name", "email", "description", "phone", "metadata", "preferred_locales", "address"})


def create(ledger: Ledger, params: dict[str, Any], key: str | None) -> JsonObject:
    if not _is_taken(params.get("email")):
        raise invalid("Invalid email address.", code="email_invalid", param="email")
    customer = ledger.add({
        "id": new_id("cus"), "object": "customer", "livemode": False, "balance": 0, "currency": None, "delinquent": False,
        "default_source": None, "invoice_settings": {"default_payment_method": None}, "tax_exempt": "none",
        "name": params.get("name"), "email": params.get("email"), "description": params.get("description"),
        "phone": params.get("phone"), "address": params.get("address") or None, "metadata": params.get("metadata") or {},
        "preferred_locales": params.get("preferred_locales", []),
    })  # fmt: skip
    ledger.emit("customer.created", customer, idempotency_key=key)
    return customer


def _is_taken(email: str | None) -> bool:
    """Which emails Stripe accepts is not documented; the stand-in's rule: ASCII with one @ inside, or nothing at all."""
    return not email or (email.isascii() and email.count("@") == 1 and not {email[0], email[-1]} & {"@"})


def retrieve(ledger: Ledger, identifier: str) -> JsonObject:
    return ledger.named("customer", identifier, param="id")


def delete(ledger: Ledger, identifier: str) -> JsonObject:
    """Nothing is left of it but its id, and the PaymentIntents that name it; its payment methods are detached.

    Whether Stripe still lists these by the customer is not documented; the stand-in refuses.
    """
    customer = referenced(ledger, identifier, param="id", in_path=True)
    for method in ledger.select("payment_method", {"customer": identifier}):
        ledger.save(method | {"customer": None})
    ledger.emit("customer.deleted", customer)
    return ledger.save({"id": identifier, "object": "customer", "deleted": True})


def referenced(ledger: Ledger, identifier: str, *, param: str = "customer", in_path: bool = False) -> JsonObject:
    """The customer that another request names; one that was deleted is none."""
    customer = ledger.find("customer", identifier)
    if customer is None or customer.get("deleted"):
        raise missing("customer", identifier, param=param, in_path=in_path)
    return customer
