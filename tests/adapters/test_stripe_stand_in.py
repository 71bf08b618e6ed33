"""The stand-in itself, through the plain SDK: it refuses what Stripe refuses, in Stripe's words."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from api_stub.stand_ins.stripe.errors import ApiError
from api_stub.stand_ins.stripe.rate_limit import RateLimit
from tests.support.buyer import Buyer, new_buyer
from tests.support.stripe_stand_in import API_KEY, StripeStandIn

Params = dict[str, Any]


@pytest.fixture
def sdk(stripe_server: StripeStandIn) -> stripe.StripeClient:
    return stripe_server.client()


def payment(buyer: Buyer, **changes: Any) -> Any:
    """Parameters of a confirmed payment; None takes one out. Any: the tests send what the types forbid."""
    params: Params = {
        "amount": 11_90,
        "currency": "eur",
        "customer": buyer.ref,
        "payment_method": buyer.card,
        "confirm": True,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "metadata": {"order_id": "7", "1": "one"},
    } | changes
    return {name: value for name, value in params.items() if value is not None}


def refused(call: Callable[[], object]) -> tuple[int | None, str | None, str | None]:
    """Status, code, param."""
    with pytest.raises(stripe.StripeError) as error:
        call()
    return error.value.http_status, error.value.code, getattr(error.value, "param", None)


def test_a_payment_keeps_what_it_was_made_with(sdk: stripe.StripeClient, buyer: Buyer) -> None:
    intent = sdk.v1.payment_intents.create(payment(buyer))
    assert intent.metadata.to_dict() == {"order_id": "7", "1": "one"}
    again = sdk.v1.payment_intents.retrieve(intent.id)
    assert (again.status, again.amount_received, again.customer, again.payment_method) == (
        "succeeded",
        11_90,
        buyer.ref,
        buyer.card,
    )


def test_what_is_forgotten_was_never_made(sdk: stripe.StripeClient, stripe_server: StripeStandIn, buyer: Buyer) -> None:
    kept: Any = {"idempotency_key": "once"}
    before = sdk.v1.payment_intents.create(payment(buyer), kept)
    assert sdk.v1.payment_intents.create(payment(buyer), kept).id == before.id
    stripe_server.forget()
    assert refused(lambda: sdk.v1.payment_intents.retrieve(before.id)) == (404, "resource_missing", "intent")
    assert stripe_server.books(buyer.ref) == {"charges": [], "payment_intents": [], "refunds": []}
    another = payment(new_buyer(buyer.payments))
    assert sdk.v1.payment_intents.create(another, kept).id != before.id


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"fancy": "1"}, "parameter_unknown", "fancy"),
        (
            {"automatic_payment_methods": {"enabled": True, "allow": "x"}},
            "parameter_unknown",
            "automatic_payment_methods[allow]",
        ),
        (
            {"automatic_payment_methods": {"allow_redirects": "never"}},
            "parameter_missing",
            "automatic_payment_methods[enabled]",
        ),
        ({"payment_method_types": ["card"]}, "payment_method_types_no_longer_supported", "payment_method_types"),
        ({"amount": None}, "parameter_missing", "amount"),
        ({"amount": "11.90"}, "parameter_invalid_integer", "amount"),
        ({"amount": {"eur": 5}}, None, "amount"),
        ({"confirm": "yes"}, None, "confirm"),
        ({"metadata": "x"}, None, "metadata"),
        ({"metadata": {"k" * 41: "v"}}, None, f"metadata[{'k' * 41}]"),
        ({"setup_future_usage": "sometimes"}, None, "setup_future_usage"),
        ({"transfer_group": "g"}, None, "transfer_group"),
        ({"expand": ["latest_charge"]}, None, "expand"),
        ({"currency": "eur0"}, None, "currency"),
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"amount": 49, "currency": "jpy"}, "amount_too_small", "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"amount": 12_345, "currency": "kwd"}, None, "amount"),
        ({"automatic_payment_methods": None}, None, None),
        ({"payment_method": "pm_nobody"}, "resource_missing", "payment_method"),
        ({"customer": "cus_nobody"}, "resource_missing", "customer"),
        ({"customer": None}, None, "payment_method"),
        ({"confirm": False, "off_session": True}, None, "off_session"),
    ],
)
def test_a_wrong_payment_is_refused_and_takes_nothing(
    stripe_server: StripeStandIn,
    sdk: stripe.StripeClient,
    buyer: Buyer,
    changes: Params,
    code: str | None,
    param: str | None,
) -> None:
    assert refused(lambda: sdk.v1.payment_intents.create(payment(buyer, **changes))) == (400, code, param)
    assert stripe_server.books(buyer.ref)["charges"] == []


def test_off_session_a_card_that_wants_authentication_is_declined(sdk: stripe.StripeClient, buyer: Buyer) -> None:
    card = new_buyer(buyer.payments, "pm_card_authenticationRequired")
    with pytest.raises(stripe.CardError) as declined:
        sdk.v1.payment_intents.create(payment(card, off_session=True))
    assert declined.value.error is not None
    assert (declined.value.code, declined.value.error.decline_code) == (
        "authentication_required",
        "authentication_required",
    )
    assert declined.value.error.payment_intent is not None
    assert declined.value.error.payment_intent.status == "requires_payment_method"


def test_once_set_up_a_card_is_charged_off_session_without_authentication(
    sdk: stripe.StripeClient, buyer: Buyer
) -> None:
    card = new_buyer(buyer.payments, "pm_card_authenticationRequiredOnSetup")
    assert refused(lambda: sdk.v1.payment_intents.create(payment(card, off_session=True)))[:2] == (
        402,
        "authentication_required",
    )
    first = sdk.v1.payment_intents.create(
        payment(
            card, setup_future_usage="off_session", automatic_payment_methods=None, return_url="https://shop.example"
        )
    )
    assert first.next_action is not None
    assert first.next_action.redirect_to_url is not None
    httpx.post(first.next_action.redirect_to_url.url or "", data={"outcome": "succeed"}, timeout=240)
    assert sdk.v1.payment_intents.create(payment(card, off_session=True)).status == "succeeded"


def test_a_declined_payment_can_be_confirmed_with_another_card(sdk: stripe.StripeClient, buyer: Buyer) -> None:
    intent = sdk.v1.payment_intents.create(payment(buyer, payment_method=None, confirm=None))
    assert intent.status == "requires_payment_method"
    with pytest.raises(stripe.CardError):
        sdk.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa_chargeDeclined"})
    assert sdk.v1.payment_intents.confirm(intent.id, {"payment_method": buyer.card}).status == "succeeded"
    status, code, _ = refused(lambda: sdk.v1.payment_intents.confirm(intent.id))
    assert (status, code) == (400, "payment_intent_unexpected_state")


def test_without_a_return_url_three_d_secure_is_left_to_stripe_js(sdk: stripe.StripeClient, buyer: Buyer) -> None:
    card = new_buyer(buyer.payments, "pm_card_threeDSecure2Required")
    action = sdk.v1.payment_intents.create(payment(card)).next_action
    assert action is not None
    assert action.type == "use_stripe_sdk"


def test_the_authentication_page_opens_to_its_own_address_only(sdk: stripe.StripeClient, buyer: Buyer) -> None:
    card = new_buyer(buyer.payments, "pm_card_threeDSecure2Required")
    url = buyer.payments.charge(card.charge()).action_url or ""
    assert httpx.get(url.partition("?")[0], timeout=240).status_code == 404
    assert httpx.post(url[:-1] + "x", data={"outcome": "succeed"}, timeout=240).status_code == 404
    assert httpx.post(url, data={"outcome": "perhaps"}, timeout=240).status_code == 400


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer sk_test_wrong"}, {"Authorization": "Basic !!"}])
def test_without_the_right_key_nothing_is_answered(stripe_server: StripeStandIn, header: dict[str, str]) -> None:
    answer = httpx.get(f"{stripe_server.url}/v1/payment_intents", headers=header, timeout=240)
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "invalid_request_error")
    assert answer.headers["request-id"].startswith("req_")


def test_the_key_may_come_as_basic_authentication(stripe_server: StripeStandIn) -> None:
    assert httpx.get(f"{stripe_server.url}/v1/events", auth=(API_KEY, ""), timeout=240).status_code == 200


def test_what_does_not_exist_is_404(sdk: stripe.StripeClient, stripe_server: StripeStandIn) -> None:
    assert refused(lambda: sdk.v1.payment_intents.retrieve("pi_none")) == (404, "resource_missing", "intent")
    assert refused(lambda: sdk.v1.customers.retrieve("cus_none")) == (404, "resource_missing", "id")
    assert refused(lambda: sdk.v1.payment_intents.list({"customer": "cus_none"})) == (
        400,
        "resource_missing",
        "customer",
    )
    assert refused(lambda: sdk.v1.refunds.list({"payment_intent": "pi_none"})) == (
        400,
        "resource_missing",
        "payment_intent",
    )
    assert httpx.get(f"{stripe_server.url}/v1/nothing", auth=(API_KEY, ""), timeout=240).status_code == 404


@pytest.mark.parametrize("email", ["jürgen@x.example", "ada@bücher.example", "ada", "@x.example", "a@b@x.example"])
def test_an_address_that_is_none_to_stripe_makes_no_customer(sdk: stripe.StripeClient, email: str) -> None:
    assert refused(lambda: sdk.v1.customers.create({"email": email})) == (400, "email_invalid", "email")


def test_a_customer_needs_no_address(sdk: stripe.StripeClient) -> None:
    assert sdk.v1.customers.create({"name": "Ada"}).email is None


def test_a_card_belongs_to_one_customer(sdk: stripe.StripeClient, buyer: Buyer) -> None:
    stranger = new_buyer(buyer.payments)
    assert refused(lambda: sdk.v1.payment_methods.attach(buyer.card, {"customer": stranger.ref}))[0] == 400
    assert [method.id for method in sdk.v1.customers.payment_methods.list(buyer.ref).data] == [buyer.card]
    assert [method.id for method in sdk.v1.payment_methods.list({"customer": stranger.ref, "type": "card"}).data] == [
        stranger.card
    ]


def test_a_payment_method_that_was_detached_may_not_be_used_again(
    stripe_server: StripeStandIn, sdk: stripe.StripeClient, buyer: Buyer
) -> None:
    assert sdk.v1.payment_methods.detach(buyer.card).customer is None
    assert sdk.v1.payment_methods.retrieve(buyer.card).customer is None
    for used in (
        lambda: sdk.v1.payment_intents.create(payment(buyer)),
        lambda: sdk.v1.payment_intents.create(payment(buyer, customer=None)),
        lambda: sdk.v1.payment_methods.attach(buyer.card, {"customer": buyer.ref}),
        lambda: sdk.v1.payment_methods.detach(buyer.card),
    ):
        assert refused(used) == (400, None, None)
    assert stripe_server.books(buyer.ref)["payment_intents"] == []


def test_of_a_deleted_customer_the_payments_are_left_and_nothing_can_be_added(
    stripe_server: StripeStandIn, sdk: stripe.StripeClient, buyer: Buyer
) -> None:
    paid = sdk.v1.payment_intents.create(payment(buyer)).id
    sdk.v1.customers.delete(buyer.ref)
    gone = sdk.v1.customers.retrieve(buyer.ref)
    assert (gone.id, getattr(gone, "deleted", None), hasattr(gone, "email")) == (buyer.ref, True, False)
    assert sdk.v1.payment_methods.retrieve(buyer.card).customer is None
    missing = (400, "resource_missing", "customer")
    assert refused(lambda: sdk.v1.payment_intents.create(payment(buyer))) == missing
    assert refused(lambda: sdk.v1.payment_methods.attach("pm_card_visa", {"customer": buyer.ref})) == missing
    assert refused(lambda: sdk.v1.customers.delete(buyer.ref)) == (404, "resource_missing", "id")
    assert sdk.v1.payment_intents.retrieve(paid).customer == buyer.ref
    assert refused(lambda: sdk.v1.payment_intents.list({"customer": buyer.ref})) == missing


def test_a_payment_method_that_was_used_without_a_customer_may_not_be_used_again(
    sdk: stripe.StripeClient, buyer: Buyer
) -> None:
    used = sdk.v1.payment_intents.create(payment(buyer, customer=None, payment_method="pm_card_visa", confirm=None))
    assert sdk.v1.payment_intents.confirm(used.id).status == "succeeded"
    again = payment(buyer, customer=None, payment_method=used.payment_method)
    assert refused(lambda: sdk.v1.payment_intents.create(again)) == (400, None, None)


def test_lists_are_paged_both_ways_newest_first(sdk: stripe.StripeClient, buyer: Buyer) -> None:
    ids = [sdk.v1.payment_intents.create(payment(buyer)).id for _ in range(5)][::-1]
    pages = sdk.v1.payment_intents.list({"customer": buyer.ref, "limit": 2})
    assert ([intent.id for intent in pages.data], pages.has_more) == (ids[:2], True)
    assert [intent.id for intent in pages.auto_paging_iter()] == ids
    before = sdk.v1.payment_intents.list({"customer": buyer.ref, "limit": 2, "ending_before": ids[3]})
    assert [intent.id for intent in before.data] == ids[1:3]
    assert refused(lambda: sdk.v1.payment_intents.list({"limit": 101}))[0] == 400


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--port", "70000", "--data", "{folder}/x.db"], "65535"),
        (["--port", "0"], "--data"),
        (["--data", "/dev/null/x.db"], "cannot use /dev/null/x.db"),
        (["--data", "{folder}/x.db", "--webhook-url", "ftp://x"], "not an http(s) URL"),
        (["--data", "{folder}/x.db", "--webhook-url", "http://x"], "--webhook-secret"),
        (["--data", "{folder}/x.db", "--api-key", "sk_live_secret"], "takes no live key"),
    ],
)
def test_a_wrong_flag_is_named(tmp_path: Path, flags: list[str], complaint: str) -> None:
    command = [sys.executable, "-m", "api_stub.stand_ins.stripe", *(flag.format(folder=tmp_path) for flag in flags)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, env={"COLUMNS": "200", "PATH": ""})
    assert ended.returncode == 2
    assert complaint in ended.stderr
    assert "secret" not in ended.stderr.replace("--webhook-secret", "")


def test_each_endpoint_takes_so_many_requests_within_any_second() -> None:
    at = [100.0]
    limit = RateLimit(2, clock=lambda: at[0])
    limit.take("refunds.create")
    at[0] = 100.9
    limit.take("refunds.create")
    with pytest.raises(ApiError):
        limit.take("refunds.create")
    limit.take("refunds.list")
    at[0] = 101.0
    limit.take("refunds.create")
    with pytest.raises(ApiError):
        limit.take("refunds.create")
    assert limit.refused == 2


def test_a_request_too_many_is_told_so_as_stripe_does(stripe_server: StripeStandIn, sdk: stripe.StripeClient) -> None:
    stripe_server.control("rate-limit", per_second=1, second=3600)
    sdk.v1.refunds.list({"limit": 1})
    with pytest.raises(stripe.RateLimitError) as limited:
        sdk.v1.refunds.list({"limit": 1})
    assert limited.value.http_status == 429
    assert (limited.value.headers or {})["stripe-rate-limited-reason"] == "endpoint-rate"
