"""Webhooks: how the stand-in sends them, and what the adapter believes."""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial

import httpx
import pytest
import stripe
from structlog.testing import capture_logs

from tasks.errors import Refused
from tests.support.buyer import Buyer, new_buyer
from tests.support.stripe_stand_in import WEBHOOK_SECRET, Inbox, StripeStandIn, webhook_inbox
from worker.adapters.stripe import StripePayments

EVENT = json.dumps({"id": "evt_1", "object": "event", "type": "payment_intent.succeeded",
                    "data": {"object": {"id": "pi_1", "object": "payment_intent"}}})  # fmt: skip


@pytest.fixture
def inbox(stripe_server: StripeStandIn) -> Iterator[Inbox]:
    with webhook_inbox() as inbox:
        stripe_server.control(
            "webhook", url=inbox.url, secret=WEBHOOK_SECRET, events=["payment_intent.*", "refund.*"], copies=1
        )
        yield inbox
        stripe_server.control("webhook", url="", events=[])


def signed(payload: str, *, secret: str = WEBHOOK_SECRET, age: int = 0) -> str:
    return str(stripe.WebhookSignature.generate_signature_header(payload, secret, int(time.time()) - age))


@pytest.mark.parametrize("age", [290, 0, -290])
def test_a_signed_event_is_believed(payments: StripePayments, age: int) -> None:
    event = payments.read_webhook(payload=EVENT.encode(), signature=signed(EVENT, age=age))
    assert (event.id, event.type, event.charge_ref) == ("evt_1", "payment_intent.succeeded", "pi_1")


def test_an_event_of_a_connected_account_is_about_no_charge_of_ours(payments: StripePayments) -> None:
    connected = EVENT.replace('"object": "event"', '"object": "event", "account": "acct_1"')
    with capture_logs() as logs:
        event = payments.read_webhook(payload=connected.encode(), signature=signed(connected))
    assert (event.id, event.charge_ref) == ("evt_1", None)
    assert [(each["event"], each["event_id"], each["connected"]) for each in logs] == [
        ("webhook of a connected account, put aside", "evt_1", "acct_1")
    ]


@pytest.mark.parametrize(
    ("payload", "sign"),
    [
        (EVENT, partial(signed, secret="whsec_of_somebody_else")),
        (EVENT, partial(signed, age=302)),
        (EVENT, partial(signed, age=-900)),
        (EVENT.replace("pi_1", "pi_2"), lambda _: signed(EVENT)),
        (EVENT, lambda _: ""),
        (EVENT, lambda _: "t=1,v1="),
        (EVENT, lambda _: "nonsense"),
        ("[]", signed),
        ("{}", signed),
        ("not json", signed),
        (EVENT.replace("evt_1", "evt_\\u0000"), signed),
        (EVENT.replace("evt_1", "evt_\\ud800"), signed),
        (EVENT.replace('"object": "event"', '"object": "v2.core.event"'), signed),
        (EVENT.replace("evt_1", "evt_" + 300 * "1"), signed),
    ],
    ids=[
        "forged",
        "stale",
        "of the future",
        "tampered",
        "unsigned",
        "empty",
        "nonsense",
        "list",
        "no event",
        "no json",
        "an id with a NUL",
        "an id with half a character",
        "thin",
        "an id without end",
    ],
)
def test_anything_else_is_refused(payments: StripePayments, payload: str, sign: Callable[[str], str]) -> None:
    """Signed now, not when the tests were collected: by then it may be too old, or not of the future any more."""
    with pytest.raises(Refused):
        payments.read_webhook(payload=payload.encode(), signature=sign(payload))


DISPUTE = json.dumps({"id": "evt_1", "object": "event", "type": "charge.dispute.created",
                      "data": {"object": {"id": "dp_1", "object": "dispute", "payment_intent": "pi_1"}}})  # fmt: skip


def test_an_event_about_a_dispute_names_its_charge(payments: StripePayments) -> None:
    event = payments.read_webhook(payload=DISPUTE.encode(), signature=signed(DISPUTE))
    assert event.charge_ref == "pi_1"


@pytest.mark.parametrize("subject", ["null", "[]", '"pi_1"'])
def test_an_event_about_nothing_we_know_is_believed(payments: StripePayments, subject: str) -> None:
    payload = json.dumps({**json.loads(EVENT), "data": {"object": json.loads(subject)}})
    event = payments.read_webhook(payload=payload.encode(), signature=signed(payload))
    assert (event.id, event.charge_ref) == ("evt_1", None)


@pytest.mark.parametrize(
    ("payload", "signature"),
    [(b"\xff\xfe", "t=1,v1=00"), (b"no json", "t=1,v1=00"), (b"no json", "t=1,v1=\xe9"), (b"no json", "t=x,v1=00")],
    ids=["no text", "no event", "a signature that is not ASCII", "no time"],
)
def test_what_is_not_signed_is_refused_for_that_alone(payments: StripePayments, payload: bytes, signature: str) -> None:
    with pytest.raises(Refused) as refused:
        payments.read_webhook(payload=payload, signature=signature)
    assert refused.value.code == "signature"


def test_a_payment_is_announced_with_a_signature_that_holds(inbox: Inbox, buyer: Buyer) -> None:
    charge = buyer.payments.charge(buyer.charge())
    events = [
        buyer.payments.read_webhook(payload=body, signature=signature)
        for body, signature in [inbox.next(), inbox.next()]
    ]
    assert {(event.type, event.charge_ref) for event in events} == {
        ("payment_intent.created", charge.ref),
        ("payment_intent.succeeded", charge.ref),
    }


def test_a_refund_is_announced_under_its_payment(inbox: Inbox, buyer: Buyer) -> None:
    charge = buyer.payments.charge(buyer.charge())
    buyer.payments.refund(buyer.refund(charge.ref))
    bodies = [inbox.next() for _ in range(3)]
    events = [buyer.payments.read_webhook(payload=body, signature=signature) for body, signature in bodies]
    assert ("refund.created", charge.ref) in {(event.type, event.charge_ref) for event in events}


def test_authentication_is_announced(inbox: Inbox, payments: StripePayments) -> None:
    buyer = new_buyer(payments, "pm_card_threeDSecure2Required")
    waiting = payments.charge(buyer.charge())
    httpx.post(waiting.action_url or "", data={"outcome": "succeed"}, timeout=240)
    types = {json.loads(inbox.next()[0])["type"] for _ in range(3)}
    assert types == {"payment_intent.created", "payment_intent.requires_action", "payment_intent.succeeded"}


def test_an_event_is_sent_again_until_it_is_taken(stripe_server: StripeStandIn, inbox: Inbox, buyer: Buyer) -> None:
    stripe_server.control("webhook", events=["payment_intent.succeeded"])
    inbox.answers = [500, 302]
    buyer.payments.charge(buyer.charge())
    bodies = [inbox.next()[0] for _ in range(3)]
    assert len(set(bodies)) == 1
    assert inbox.received.empty()


def test_an_event_can_be_sent_twice_and_again_on_demand(
    stripe_server: StripeStandIn, inbox: Inbox, buyer: Buyer
) -> None:
    stripe_server.control("webhook", events=["payment_intent.succeeded"], copies=2)
    buyer.payments.charge(buyer.charge())
    ids = [json.loads(inbox.next()[0])["id"] for _ in range(2)]
    stripe_server.control("webhook/resend", event=ids[0])
    assert {*ids, json.loads(inbox.next()[0])["id"]} == {ids[0]}


def test_events_can_be_fetched_and_listed_by_type(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    charge = buyer.payments.charge(buyer.charge())
    events = stripe_server.client().v1.events
    [newest] = events.list({"type": "payment_intent.succeeded", "limit": 1}).data
    assert newest.data.object.id == charge.ref
    assert events.retrieve(newest.id).type == "payment_intent.succeeded"
