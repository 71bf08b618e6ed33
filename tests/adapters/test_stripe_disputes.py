"""Disputes, as the stand-in has them and as the adapter reads them."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api_stub.stand_ins.stripe.app import EVENTS
from models.states import DisputeStatus
from tasks.errors import ChargeDisputed
from tasks.ports import PaymentProvider
from tests.support.buyer import Buyer
from tests.support.stripe_stand_in import WEBHOOK_SECRET, StripeStandIn, webhook_inbox
from worker.adapters.stripe import StripePayments


def charged(buyer: Buyer, payments: PaymentProvider) -> str:
    buyer.order = uuid4()
    return payments.charge(buyer.charge()).ref


DECIDED = (DisputeStatus.WON, DisputeStatus.LOST)


def dispute(stand_in: StripeStandIn, charge_ref: str, status: str, **more: Any) -> str:
    return str(stand_in.control("dispute", payment_intent=charge_ref, status=status, **more)["id"])


@pytest.mark.parametrize(
    ("status", "read", "refundable"),
    [
        ("warning_needs_response", DisputeStatus.INQUIRY, True),
        ("warning_under_review", DisputeStatus.INQUIRY, True),
        ("warning_closed", DisputeStatus.CLOSED, True),
        ("prevented", DisputeStatus.CLOSED, True),
        ("needs_response", DisputeStatus.CHARGEBACK, False),
        ("under_review", DisputeStatus.CHARGEBACK, False),
        ("won", DisputeStatus.WON, False),
        ("lost", DisputeStatus.LOST, False),
    ],
)
def test_a_dispute_is_read_and_one_that_has_taken_the_money_lets_nothing_be_refunded(
    stripe_server: StripeStandIn,
    payments: StripePayments,
    buyer: Buyer,
    status: str,
    read: DisputeStatus,
    *,
    refundable: bool,
) -> None:
    ref = charged(buyer, payments)
    assert (payments.retrieve_charge(ref).disputed, payments.find_disputes(charge_ref=ref)) == (False, [])
    opened = dispute(stripe_server, ref, status, reason="product_not_received")
    assert payments.retrieve_charge(ref).disputed
    [found] = payments.find_disputes(charge_ref=ref)
    assert (found.ref, found.status, found.refundable, found.charge_ref) == (opened, read, refundable, ref)
    assert (found.amount_minor, found.currency, found.reason) == (11_90, "EUR", "product_not_received")
    assert found.due_at is not None
    assert timedelta(days=6) < found.due_at - datetime.now(UTC) <= timedelta(days=7)
    if refundable:
        assert payments.refund(buyer.refund(ref)).amount_minor == 11_90
        return
    with pytest.raises(ChargeDisputed) as refused:
        payments.refund(buyer.refund(ref))
    assert refused.value.code == ("charge_disputed" if read in DECIDED else "refund_disputed_payment")


def balance_transactions(stand_in: StripeStandIn, dispute_ref: str, *amounts: int, currency: str = "eur") -> None:
    moved = [{"object": "balance_transaction", "amount": amount, "currency": currency} for amount in amounts]
    stand_in.control("change", id=dispute_ref, values={"balance_transactions": moved})


def test_a_prevented_dispute_that_was_resolved_counts_as_lost_and_lets_nothing_be_refunded(
    stripe_server: StripeStandIn, payments: StripePayments, buyer: Buyer
) -> None:
    ref = charged(buyer, payments)
    opened = dispute(stripe_server, ref, "prevented", case_type="resolution")
    [found] = payments.find_disputes(charge_ref=ref)
    assert (found.status, found.amount_minor, found.refundable) == (DisputeStatus.LOST, 11_90, False)
    with pytest.raises(ChargeDisputed):
        payments.refund(buyer.refund(ref))
    balance_transactions(stripe_server, opened)
    [found] = payments.find_disputes(charge_ref=ref)
    assert found.status is DisputeStatus.CHARGEBACK, "resolved, but what it took is not listed yet"
    balance_transactions(stripe_server, opened, -11_90, 11_90)
    [found] = payments.find_disputes(charge_ref=ref)
    assert found.status is DisputeStatus.CLOSED, "it was given back to us"


def test_a_resolution_that_took_nothing_is_closed_once_refunds_have_returned_all_of_the_charge(
    stripe_server: StripeStandIn, payments: StripePayments, buyer: Buyer
) -> None:
    def read() -> DisputeStatus:
        [found] = payments.find_disputes(charge_ref=ref)
        around = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
        assert found in payments.disputes_made(*around)
        return found.status

    ref = charged(buyer, payments)
    prevented = dispute(stripe_server, ref, "prevented", case_type="resolution")
    balance_transactions(stripe_server, prevented)
    client = stripe_server.client()
    client.v1.refunds.create({"payment_intent": ref, "amount": 11_89})
    assert read() is DisputeStatus.CHARGEBACK
    client.v1.refunds.create({"payment_intent": ref, "amount": 1})
    assert read() is DisputeStatus.CLOSED
    balance_transactions(stripe_server, prevented, -11_90)
    assert read() is DisputeStatus.LOST, "the money is gone twice"


@pytest.mark.parametrize(
    ("amount", "seconds_later", "values", "read"),
    [
        (4_99, 0, {}, DisputeStatus.CHARGEBACK),
        (5_00, -1, {}, DisputeStatus.CHARGEBACK),
        (5_00, 0, {}, DisputeStatus.CLOSED),
        (5_00, 0, {"status": "pending"}, DisputeStatus.CLOSED),
        (5_00, 0, {"status": "failed"}, DisputeStatus.CHARGEBACK),
        (5_00, 0, {"status": "canceled"}, DisputeStatus.CHARGEBACK),
    ],
)
def test_a_resolution_of_a_part_that_took_nothing_is_closed_once_refunds_made_since_have_returned_the_part(
    stripe_server: StripeStandIn,
    payments: StripePayments,
    buyer: Buyer,
    amount: int,
    seconds_later: int,
    values: dict[str, str],
    read: DisputeStatus,
) -> None:
    ref = charged(buyer, payments)
    prevented = dispute(stripe_server, ref, "prevented", case_type="resolution", amount=5_00)
    balance_transactions(stripe_server, prevented)
    client = stripe_server.client()
    made = client.v1.refunds.create({"payment_intent": ref, "amount": amount})
    created = client.v1.disputes.retrieve(prevented).created + seconds_later
    stripe_server.control("change", id=made.id, values={"created": created, **values})
    [found] = payments.find_disputes(charge_ref=ref)
    assert found.status is read


def test_a_resolution_in_another_currency_than_the_refunds_waits_for_all_of_the_charge(
    stripe_server: StripeStandIn, payments: StripePayments, buyer: Buyer
) -> None:
    ref = charged(buyer, payments)
    prevented = dispute(stripe_server, ref, "prevented", case_type="resolution", amount=5_00)
    stripe_server.control("change", id=prevented, values={"balance_transactions": [], "currency": "usd"})
    for amount, read in ((5_00, DisputeStatus.CHARGEBACK), (6_90, DisputeStatus.CLOSED)):
        stripe_server.client().v1.refunds.create({"payment_intent": ref, "amount": amount})
        [found] = payments.find_disputes(charge_ref=ref)
        assert found.status is read


@pytest.mark.parametrize(
    ("amounts", "read"),
    [
        ((-100_00, 94_99), DisputeStatus.LOST),
        ((-100_00, 95_00), DisputeStatus.CLOSED),
        ((-10000_00, 9999_99), DisputeStatus.CLOSED),
        ((-100_00, 101_00), DisputeStatus.CLOSED),
    ],
)
def test_a_prevented_dispute_that_was_given_back_at_another_rate_is_closed(
    stripe_server: StripeStandIn,
    payments: StripePayments,
    buyer: Buyer,
    amounts: tuple[int, ...],
    read: DisputeStatus,
) -> None:
    ref = charged(buyer, payments)
    prevented = dispute(stripe_server, ref, "prevented", case_type="resolution")
    balance_transactions(stripe_server, prevented, *amounts, currency="usd")
    [found] = payments.find_disputes(charge_ref=ref)
    assert found.status is read


@pytest.mark.parametrize(
    ("amounts", "kept"),
    [
        ((), 11_90),
        ((-11_90,), 11_90),
        ((-11_90, 1_90), 10_00),
        ((-11_90, 11_89), 11_90),
        ((-100_00, 95_00), 11_90),  # put back, but for exchange rates
        ((-100_00, 94_99), 60),
        ((-10_12, 1_62), 10_00),  # 9.995..., half up
        ((-2, 1), 5_95),
        ((-23_80, 1), 11_90),  # 11.8995, half up
        ((1_90, -11_90), 10_00),
        ((-11_90, 11_90), 11_90),
        ((-11_90, 11_90, -11_90, 1_90), 10_00),
        ((-6_00, -5_90, 1_90), 10_00),
        ((-11_90, 12_00), 11_90),
        ((11_90,), 11_90),
    ],
)
def test_of_a_lost_dispute_counts_what_the_bank_kept_and_all_where_that_cannot_be_told(
    stripe_server: StripeStandIn, payments: StripePayments, buyer: Buyer, amounts: tuple[int, ...], kept: int
) -> None:
    ref = charged(buyer, payments)
    lost = dispute(stripe_server, ref, "lost")
    balance_transactions(stripe_server, lost, *amounts, currency="chf")
    [found] = payments.find_disputes(charge_ref=ref)
    assert (found.status, found.amount_minor, found.currency) == (DisputeStatus.LOST, kept, "EUR")


def test_only_of_a_dispute_that_is_lost_a_part_counts(
    stripe_server: StripeStandIn, payments: StripePayments, buyer: Buyer
) -> None:
    ref = charged(buyer, payments)
    for status in ("needs_response", "won"):
        opened = dispute(stripe_server, ref, status)
        balance_transactions(stripe_server, opened, -11_90, 1_90)
        [found] = payments.find_disputes(charge_ref=ref)
        assert found.amount_minor == 11_90


def test_the_bank_gives_a_part_back_when_a_dispute_is_partially_won(
    stripe_server: StripeStandIn, payments: StripePayments, buyer: Buyer
) -> None:
    ref = charged(buyer, payments)
    dispute(stripe_server, ref, "lost", returned=1_90)
    [found] = payments.find_disputes(charge_ref=ref)
    assert (found.status, found.amount_minor) == (DisputeStatus.LOST, 10_00)


def test_a_refund_closes_an_inquiry(stripe_server: StripeStandIn, payments: StripePayments, buyer: Buyer) -> None:
    ref = charged(buyer, payments)
    dispute(stripe_server, ref, "warning_needs_response")
    payments.refund(buyer.refund(ref))
    assert [found.status for found in payments.find_disputes(charge_ref=ref)] == [DisputeStatus.CLOSED]


def test_each_turn_of_a_dispute_has_its_events(
    stripe_server: StripeStandIn, payments: StripePayments, buyer: Buyer
) -> None:
    ref = charged(buyer, payments)
    with webhook_inbox() as inbox:
        stripe_server.control("webhook", url=inbox.url, secret=WEBHOOK_SECRET, events=["charge.dispute.*"])
        try:
            opened = {dispute(stripe_server, ref, s) for s in ("warning_needs_response", "needs_response", "won")}
            events = [json.loads(inbox.next()[0]) for _ in range(6)]
        finally:
            stripe_server.control("webhook", url="")
    assert len(opened) == 1, "an inquiry that becomes a chargeback is the same dispute"
    assert sorted(event["type"] for event in events) == [
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.dispute.updated",
    ]
    assert {event["data"]["object"]["id"] for event in events} == opened


def test_a_stand_in_that_is_told_nothing_else_sends_what_the_page_subscribes_to() -> None:
    """The demo's and docker compose's is: what its banks dispute must arrive."""
    page = (Path(__file__).parents[2] / "docs" / "deploying.md").read_text()
    wanted = set(
        re.findall(r"`(charge\.dispute\.\w+)`", page.partition("### Stripe's webhooks")[2].partition("\n##")[0])
    )
    assert wanted == {event for event in EVENTS.split(",") if event.startswith("charge.dispute.")}
    assert len(wanted) == 5


@pytest.mark.parametrize("decided", ["won", "lost"])
def test_that_a_decision_is_appealed_arrives_with_the_events_that_the_page_subscribes_to(
    stripe_server: StripeStandIn, payments: StripePayments, buyer: Buyer, decided: str
) -> None:
    ref = charged(buyer, payments)
    first = dispute(stripe_server, ref, decided)
    with webhook_inbox() as inbox:
        stripe_server.control("webhook", url=inbox.url, secret=WEBHOOK_SECRET, events=EVENTS.split(","))
        try:
            assert dispute(stripe_server, ref, "appeal_needs_response") == first
            event = json.loads(inbox.next()[0])
        finally:
            stripe_server.control("webhook", url="")
    assert event["data"]["object"]["status"] == "appeal_needs_response"
    [found] = payments.find_disputes(charge_ref=ref)
    assert (found.status, found.refundable) == (DisputeStatus.CHARGEBACK, False)
    dispute(stripe_server, ref, "lost", returned=90)
    [found] = payments.find_disputes(charge_ref=ref)
    assert (found.status, found.amount_minor) == (DisputeStatus.LOST, 11_00)


@pytest.mark.parametrize("amount", [0, -1])
def test_a_bank_takes_no_less_than_a_cent(stripe_server: StripeStandIn, buyer: Buyer, amount: int) -> None:
    given = {"payment_intent": charged(buyer, buyer.payments), "status": "lost", "amount": amount}
    assert httpx.post(f"{stripe_server.url}/_control/dispute", json=given).status_code == 422
