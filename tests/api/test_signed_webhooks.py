"""Webhooks of the payment provider: signed ones are stored once, others never."""

import hashlib
import hmac
import json
import time

import pytest

from models.messages import WebhookReceived
from tests.api.conftest import Api, problem
from tests.support.stripe_stand_in import WEBHOOK_SECRET
from tests.support.world import Customer, World


def test_a_signed_webhook_is_stored_once_and_a_forged_one_never(world: World, api: Api, ada: Customer) -> None:
    intent = {"id": "pi_1", "object": "payment_intent"}
    event = {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "data": {"object": intent}}
    payload, signature = signed(json.dumps(event))
    forged = {"Stripe-Signature": signature.replace("v1=", "v1=0")}
    path = "/v1/webhooks/stripe"
    assert problem(api.client.post(path, content=payload, headers=forged)) == (400, "webhook-refused")
    assert problem(api.client.post(path, content=payload)) == (422, "invalid-request")
    for _ in range(2):
        answer = api.client.post(path, content=payload, headers={"Stripe-Signature": signature})
        assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert [(row.id, row.charge_ref, row.payload) for row in world.rows(WebhookReceived)] == [
        ("evt_1", "pi_1", payload)
    ]


@pytest.mark.parametrize("body", ["no json", "[]", "{}", '{"id": "evt_1", "type": "ping"}', "[" * 50_000])
def test_only_who_can_sign_learns_that_a_webhook_is_no_event(world: World, api: Api, body: str) -> None:
    payload, signature = signed(body)
    for header, code in ((signature, "webhook-malformed"), (signature.replace("v1=", "v1=0"), "webhook-refused")):
        answer = api.client.post("/v1/webhooks/stripe", content=payload, headers={"Stripe-Signature": header})
        assert problem(answer) == (400, code)
    assert world.rows(WebhookReceived) == []


def test_a_webhook_may_be_as_long_as_stripe_makes_it(world: World, api: Api) -> None:
    payload, signature = signed(json.dumps({"id": "evt_2", "filler": "x" * 200 * 1024}))
    answer = api.client.post("/v1/webhooks/stripe", content=payload, headers={"Stripe-Signature": signature})
    assert problem(answer) == (400, "webhook-malformed")  # read to its end: it is no event


def test_an_oversized_webhook_is_not_read(world: World, api: Api) -> None:
    payload, signature = signed(json.dumps({"id": "evt_2", "filler": "x" * 256 * 1024}))
    answer = api.client.post("/v1/webhooks/stripe", content=payload, headers={"Stripe-Signature": signature})
    assert problem(answer) == (413, "body-too-large")
    assert world.rows(WebhookReceived) == []


def signed(body: str) -> tuple[bytes, str]:
    """As Stripe signs: HMAC-SHA256 over time and body."""
    at = int(time.time())
    mac = hmac.new(WEBHOOK_SECRET.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return body.encode(), f"t={at},v1={mac}"
