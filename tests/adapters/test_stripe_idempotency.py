"""The stand-in's idempotency and its memory: as Stripe documents the one, and through `kill -9` the other."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tasks.charges.late_charges import LATER
from tasks.errors import Refused, TemporarilyUnavailable
from tasks.ports import PLANS_HOLD, UNDER_WAY
from tests.support.buyer import Buyer, new_buyer
from tests.support.messages import eventually
from tests.support.stripe_stand_in import API_KEY, StripeStandIn, running_stripe
from worker.adapters.stripe import CONNECT_TIMEOUT
from worker.settings import Settings


@pytest.fixture
def own_stripe(tmp_path: Path) -> Iterator[StripeStandIn]:
    """A stand-in that a test may kill."""
    with running_stripe(tmp_path) as stand_in:
        yield stand_in


def post(server: StripeStandIn, path: str, data: dict[str, Any], key: str | None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {API_KEY}"} | ({"Idempotency-Key": key} if key else {})
    return httpx.post(f"{server.url}/v1/{path}", data=data, headers=headers, timeout=240)


def pay(server: StripeStandIn, buyer: Buyer, key: str | None, **changes: str) -> httpx.Response:
    data = {"amount": "1190", "currency": "eur", "customer": buyer.ref, "payment_method": buyer.card, "confirm": "true",
            "allowed_payment_method_types[]": "card"} | changes  # fmt: skip
    return post(server, "payment_intents", data, key)


def test_a_replay_is_the_first_answer_and_says_so(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    first, second = (pay(stripe_server, buyer, "k" + buyer.ref) for _ in "12")
    assert (first.json(), first.status_code) == (second.json(), second.status_code)
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["original-request"] == first.headers["request-id"]


def test_a_decline_is_replayed_too(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    answers = [pay(stripe_server, buyer, "k" + buyer.ref, payment_method="pm_card_visa_chargeDeclined") for _ in "12"]
    assert [answer.status_code for answer in answers] == [402, 402]
    assert answers[0].json() == answers[1].json()
    assert len(stripe_server.books(buyer.ref)["payment_intents"]) == 1


def test_a_kept_500_is_replayed_although_all_is_well_again(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    stripe_server.fail("server_error", times=1)
    first, second = (pay(stripe_server, buyer, "k" + buyer.ref) for _ in "12")
    assert [first.status_code, second.status_code] == [500, 500]
    assert [answer.headers["stripe-should-retry"] for answer in (first, second)] == ["false", "false"]
    assert second.headers["idempotent-replayed"] == "true"


def test_a_key_is_for_one_request_only(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    key = "k" + buyer.ref
    pay(stripe_server, buyer, key)
    for other in (pay(stripe_server, buyer, key, amount="1191"), post(stripe_server, "customers", {"name": "A"}, key)):
        assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")


def test_without_a_key_each_request_is_a_payment(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    assert len({pay(stripe_server, buyer, None).json()["id"] for _ in "12"}) == 2


@pytest.mark.parametrize("fault", ["rate_limit", "unavailable", None])
def test_what_was_refused_before_it_began_leaves_the_key_free(
    stripe_server: StripeStandIn, buyer: Buyer, fault: str | None
) -> None:
    key = "k" + buyer.ref
    if fault is not None:
        stripe_server.fail(fault, times=1)
    assert pay(stripe_server, buyer, key, **({} if fault else {"amount": "x"})).status_code in (400, 429, 503)
    assert pay(stripe_server, buyer, key).json()["status"] == "succeeded"


def test_a_key_in_flight_is_409(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    key = "k" + buyer.ref
    hang = stripe_server.fail("hang", times=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(pay, stripe_server, buyer, key)
        assert eventually(lambda: stripe_server.seen(hang) == 1)
        conflicts = [pay(stripe_server, buyer, key) for _ in range(3)]
        stripe_server.calm()
        assert first.result().status_code == 200
    assert [conflict.status_code for conflict in conflicts] == [409, 409, 409]
    assert conflicts[0].json()["error"]["code"] == "idempotency_key_in_use"
    assert len(stripe_server.books(buyer.ref)["charges"]) == 1


def test_an_expired_key_makes_a_new_payment(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    pay(stripe_server, buyer, "k" + buyer.ref)
    stripe_server.expire_keys()
    assert "idempotent-replayed" not in pay(stripe_server, buyer, "k" + buyer.ref).headers
    assert len(stripe_server.books(buyer.ref)["charges"]) == 2


@pytest.mark.parametrize(("length", "status"), [(255, 200), (256, 400)])
def test_a_key_has_at_most_255_characters(stripe_server: StripeStandIn, buyer: Buyer, length: int, status: int) -> None:
    assert pay(stripe_server, buyer, uuid4().hex.ljust(length, "k")).status_code == status


def test_refunds_at_the_same_moment_never_exceed_the_charge(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    charge = buyer.payments.charge(buyer.charge(10_00))

    def refund(attempt: int) -> bool:
        try:
            buyer.payments.refund(buyer.refund(charge.ref, 3_00, attempt=attempt))
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(refund, range(8))) == 3
    assert sum(refund["amount"] for refund in stripe_server.books(buyer.ref)["refunds"]) == 9_00


def test_a_payment_and_its_key_survive_kill_9(own_stripe: StripeStandIn) -> None:
    buyer = new_buyer(own_stripe.payments())
    first = pay(own_stripe, buyer, "k1")
    own_stripe.restart_after_kill()
    second = pay(own_stripe, buyer, "k1")
    assert (second.json(), second.headers["idempotent-replayed"]) == (first.json(), "true")
    assert len(own_stripe.books(buyer.ref)["charges"]) == 1


def test_killed_amid_payments_every_key_still_means_one_payment(own_stripe: StripeStandIn) -> None:
    buyer = new_buyer(own_stripe.payments())
    impatient = own_stripe.payments(patience=0.1)
    attempts, paid = itertools.count(), threading.Semaphore(0)
    told: dict[int, str | None] = {}

    def charge_until_nobody_answers() -> None:
        for attempt in attempts:
            try:
                told[attempt] = impatient.charge(buyer.charge(attempt=attempt)).ref
            except TemporarilyUnavailable:
                told[attempt] = None
                return
            paid.release()

    with ThreadPoolExecutor(8) as pool:
        paying = [pool.submit(charge_until_nobody_answers) for _ in range(8)]
        assert all(paid.acquire(timeout=240) for _ in range(30))
        own_stripe.process.kill()
    own_stripe.start()
    after = own_stripe.payments()
    refs = {attempt: after.charge(buyer.charge(attempt=attempt)).ref for attempt in told}
    assert [future.result() for future in paying] == [None] * 8
    assert list(told.values()).count(None) == 8
    assert all(ref in (None, refs[attempt]) for attempt, ref in told.items())
    assert sorted(charge["payment_intent"] for charge in own_stripe.books(buyer.ref)["charges"]) == sorted(
        refs.values()
    )


def test_nothing_of_a_request_comes_after_others_have_given_the_attempt_up() -> None:
    [longest_answer] = [
        each.le for each in Settings.model_fields["stripe_timeout_seconds"].metadata if hasattr(each, "le")
    ]
    planned = timedelta(seconds=1)  # is noted in whole seconds
    latest = planned + timedelta(seconds=PLANS_HOLD + CONNECT_TIMEOUT + longest_answer)
    assert latest < UNDER_WAY < LATER
