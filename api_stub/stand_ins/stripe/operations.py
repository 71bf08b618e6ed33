"""The part of Stripe's API that is covered: which path does what, and which of the SDK's parameter types it takes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import stripe.params as types

from api_stub.stand_ins.stripe import customers, disputes, payment_intents, payment_methods, refunds
from api_stub.stand_ins.stripe.errors import Answer, JsonObject, malformed, missing
from api_stub.stand_ins.stripe.ledger import Ledger
from api_stub.stand_ins.stripe.listing import page
from api_stub.stand_ins.stripe.params import check

PAGING = frozenset({"limit", "starting_after", "ending_before", "created"})
NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Call:
    ledger: Ledger
    params: dict[str, Any]
    identifier: str
    key: str | None
    base_url: str
    begun: str | None = None
    """the id of what `Operation.begin` has made for this call"""


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    method: str
    path: re.Pattern[str]
    type: type
    covered: frozenset[str]
    run: Callable[[Call], JsonObject | Answer]
    check: Callable[[dict[str, Any]], None] | None = None
    begin: Callable[[Call], JsonObject] | None = None
    """what is done before a bank is asked, and seen by all meanwhile; `run` does it itself where `Call.begun` names nothing"""

    def read(self, params: dict[str, Any]) -> dict[str, Any]:
        """Checked parameters; raises before anything has begun."""
        checked = check(params, self.type)
        for name in checked.keys() - self.covered:
            raise malformed(f"This stand-in does not cover the parameter `{name}` of {self.name}.", param=name)
        if self.check is not None:
            self.check(checked)
        return checked


def _operation(
    name: str,
    route: str,
    type_: type,
    covered: frozenset[str],
    run: Callable[[Call], JsonObject | Answer],
    checks: Callable[[dict[str, Any]], None] | None = None,
    begin: Callable[[Call], JsonObject] | None = None,
) -> Operation:
    method, path = route.split(" ")
    pattern = re.compile("^" + path.replace("{id}", "(?P<id>[^/]+)") + "$")
    return Operation(name, method, pattern, type_, covered, run, checks, begin)


def _list_methods_of(call: Call) -> JsonObject:
    customers.retrieve(call.ledger, call.identifier)
    url = f"/v1/customers/{call.identifier}/payment_methods"
    return page(call.ledger, "payment_method", url, call.params, customer=call.identifier, type=call.params.get("type"))


def _list_methods(call: Call) -> JsonObject:
    customer = customers.referenced(call.ledger, call.params.get("customer", ""))["id"]
    return page(
        call.ledger,
        "payment_method",
        "/v1/payment_methods",
        call.params,
        customer=customer,
        type=call.params.get("type"),
    )


def _list_intents(call: Call) -> JsonObject:
    if "customer" in call.params:
        customers.referenced(call.ledger, call.params["customer"])
    found = page(
        call.ledger, "payment_intent", "/v1/payment_intents", call.params, customer=call.params.get("customer")
    )
    if "expand" in call.params:
        found["data"] = [payment_intents.with_charge(call.ledger, intent) for intent in found["data"]]
    return found


def _retrieve_intent(call: Call) -> JsonObject:
    intent = payment_intents.retrieve(call.ledger, call.identifier)
    return payment_intents.with_charge(call.ledger, intent) if "expand" in call.params else intent


def _check_expand(path: str) -> Callable[[dict[str, Any]], None]:
    def check_expand(params: dict[str, Any]) -> None:
        for asked in params.get("expand", []):
            if asked != path:
                raise malformed(f"This stand-in expands nothing but `{path}` here.", param="expand")

    return check_expand


def _list_refunds(call: Call) -> JsonObject:
    return _list_of_charge(call, "refund")


def _list_disputes(call: Call) -> JsonObject:
    found = _list_of_charge(call, "dispute")
    if "expand" in call.params:
        found["data"] = [each | {"charge": _with_refunds(call.ledger, each["charge"])} for each in found["data"]]
    return found


def _with_refunds(ledger: Ledger, identifier: str) -> JsonObject:
    charge = ledger.find("charge", identifier) or {}
    return charge | {"refunds": page(ledger, "refund", f"/v1/charges/{identifier}/refunds", {}, charge=identifier)}


def _list_of_charge(call: Call, kind: str) -> JsonObject:
    links = {name: call.params.get(name) for name in ("payment_intent", "charge")}
    for name, identifier in links.items():
        if identifier is not None and call.ledger.find(name, identifier) is None:
            raise missing(name, identifier, param=name)
    return page(call.ledger, kind, f"/v1/{kind}s", call.params, **links)


def _list_events(call: Call) -> JsonObject:
    return page(call.ledger, "event", "/v1/events", call.params, type=call.params.get("type"))


OPERATIONS = (
    _operation("customers.create", "POST /v1/customers", types.CustomerCreateParams, customers.COVERED,
               lambda call: customers.create(call.ledger, call.params, call.key)),
    _operation("customers.retrieve", "GET /v1/customers/{id}", types.CustomerRetrieveParams, NONE,
               lambda call: customers.retrieve(call.ledger, call.identifier)),
    _operation("customers.delete", "DELETE /v1/customers/{id}", types.CustomerDeleteParams, NONE,
               lambda call: customers.delete(call.ledger, call.identifier)),
    _operation("customers.payment_methods.list", "GET /v1/customers/{id}/payment_methods", types.CustomerPaymentMethodListParams,
               PAGING | {"type"}, _list_methods_of),
    _operation("payment_methods.list", "GET /v1/payment_methods", types.PaymentMethodListParams, PAGING | {"customer", "type"},
               _list_methods),
    _operation("payment_methods.attach", "POST /v1/payment_methods/{id}/attach", types.PaymentMethodAttachParams,
               frozenset({"customer"}), lambda call: payment_methods.attach(call.ledger, call.identifier, call.params, call.key)),
    _operation("payment_methods.detach", "POST /v1/payment_methods/{id}/detach", types.PaymentMethodDetachParams, NONE,
               lambda call: payment_methods.detach(call.ledger, call.identifier, call.key)),
    _operation("payment_methods.retrieve", "GET /v1/payment_methods/{id}", types.PaymentMethodRetrieveParams, NONE,
               lambda call: payment_methods.retrieve(call.ledger, call.identifier)),
    _operation("payment_intents.create", "POST /v1/payment_intents", types.PaymentIntentCreateParams, payment_intents.COVERED,
               lambda call: payment_intents.create(call.ledger, call.params, call.key, call.base_url, begun=call.begun),
               payment_intents.check_create, lambda call: payment_intents.make(call.ledger, call.params, call.key)),
    _operation("payment_intents.list", "GET /v1/payment_intents", types.PaymentIntentListParams,
               PAGING | {"customer", "expand"}, _list_intents, _check_expand("data.latest_charge")),
    _operation("payment_intents.retrieve", "GET /v1/payment_intents/{id}", types.PaymentIntentRetrieveParams,
               frozenset({"client_secret", "expand"}), _retrieve_intent, _check_expand("latest_charge")),
    _operation("payment_intents.confirm", "POST /v1/payment_intents/{id}/confirm", types.PaymentIntentConfirmParams,
               payment_intents.ON_CONFIRM,
               lambda call: payment_intents.confirm(call.ledger, call.identifier, call.params, call.key, call.base_url)),
    _operation("payment_intents.cancel", "POST /v1/payment_intents/{id}/cancel", types.PaymentIntentCancelParams,
               frozenset({"cancellation_reason"}),
               lambda call: payment_intents.cancel(call.ledger, call.identifier, call.params, call.key)),
    _operation("refunds.create", "POST /v1/refunds", types.RefundCreateParams, refunds.COVERED,
               lambda call: refunds.create(call.ledger, call.params, call.key), refunds.check_create),
    _operation("refunds.list", "GET /v1/refunds", types.RefundListParams, PAGING | {"payment_intent", "charge"}, _list_refunds),
    _operation("refunds.retrieve", "GET /v1/refunds/{id}", types.RefundRetrieveParams, NONE,
               lambda call: refunds.retrieve(call.ledger, call.identifier)),
    _operation("disputes.list", "GET /v1/disputes", types.DisputeListParams,
               PAGING | {"payment_intent", "charge", "expand"}, _list_disputes, _check_expand("data.charge.refunds")),
    _operation("disputes.retrieve", "GET /v1/disputes/{id}", types.DisputeRetrieveParams, NONE,
               lambda call: disputes.retrieve(call.ledger, call.identifier)),
    _operation("events.list", "GET /v1/events", types.EventListParams, PAGING | {"type"}, _list_events),
    _operation("events.retrieve", "GET /v1/events/{id}", types.EventRetrieveParams, NONE,
               lambda call: call.ledger.named("event", call.identifier, param="id")),
)  # fmt: skip


def find(method: str, path: str) -> tuple[Operation, str] | None:
    """The operation and the id in its path."""
    for operation in OPERATIONS:
        if operation.method == method and (match := operation.path.match(path)):
            return operation, match.groupdict().get("id", "")
    return None
