"""What the Stripe adapter says when an answer is lost, late, or not to be trusted; and that no money moves twice."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from tasks.errors import KeySpent, OutcomeUnknown, TemporarilyUnavailable
from tasks.ports import ChargeStatus, RefundStatus
from tests.support.buyer import Buyer, new_buyer
from tests.support.messages import eventually
from tests.support.stripe_stand_in import StripeStandIn
from worker.adapters import stripe_reading as reading
from worker.adapters.stripe import StripePayments
from worker.adapters.stripe_calls import Calls
from worker.adapters.stripe_errors import unexpected

CREATE = "payment_intents.create"
REPLAYED = {"idempotent-replayed": "true", "stripe-should-retry": "true"}


@pytest.mark.parametrize("kind", ["answer_lost", "connection_reset", "rate_limit", "unavailable"])
def test_a_passing_failure_is_asked_again_and_takes_the_money_once(
    stripe_server: StripeStandIn, buyer: Buyer, kind: str
) -> None:
    fault = stripe_server.fail(kind, CREATE, times=2)
    assert buyer.payments.charge(buyer.charge()).status is ChargeStatus.SUCCEEDED
    assert stripe_server.seen(fault) == 2
    assert len(stripe_server.books(buyer.ref)["charges"]) == 1


@pytest.mark.parametrize(("kind", "taken"), [("answer_lost", 1), ("connection_reset", 0), ("unavailable", 0)])
def test_without_any_answer_the_outcome_is_unknown_and_the_books_tell(
    stripe_server: StripeStandIn, buyer: Buyer, kind: str, taken: int
) -> None:
    stripe_server.fail(kind, CREATE)
    with pytest.raises(OutcomeUnknown) as unknown:
        stripe_server.payments(patience=0.3).charge(buyer.charge())
    assert not isinstance(unknown.value, KeySpent)
    assert len(stripe_server.books(buyer.ref)["charges"]) == taken
    assert len(buyer.found()) == taken


def test_a_lasting_rate_limit_means_it_was_not_done(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    stripe_server.fail("rate_limit", CREATE, retry_after=7)
    with pytest.raises(TemporarilyUnavailable) as limited:
        stripe_server.payments(patience=0.3).charge(buyer.charge())
    assert type(limited.value) is TemporarilyUnavailable
    assert limited.value.retry_after == 7


def test_a_rate_limit_after_a_lost_answer_leaves_the_doubt(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    stripe_server.fail("answer_lost", CREATE, times=1)
    stripe_server.fail("rate_limit", CREATE)
    with pytest.raises(OutcomeUnknown):
        stripe_server.payments(patience=0.4).charge(buyer.charge())
    assert len(stripe_server.books(buyer.ref)["charges"]) == 1


def test_retry_after_is_waited_for(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    stripe_server.fail("rate_limit", CREATE, times=1, retry_after=0.5)
    with pytest.raises(TemporarilyUnavailable):
        stripe_server.payments(patience=0.4).charge(buyer.charge())
    assert stripe_server.payments(patience=2).charge(buyer.charge()).status is ChargeStatus.SUCCEEDED


@pytest.mark.parametrize(("kind", "taken"), [("server_error", 0), ("server_error_after_effect", 1)])
def test_a_kept_500_is_asked_once_and_looked_up(
    stripe_server: StripeStandIn, buyer: Buyer, kind: str, taken: int
) -> None:
    fault = stripe_server.fail(kind, CREATE, times=1)
    for _ in range(2):  # the second is the replay
        with pytest.raises(KeySpent):
            buyer.payments.charge(buyer.charge())
    assert stripe_server.seen(fault) == 1
    found = buyer.found()
    assert [(charge.status, charge.attempt) for charge in found] == [(ChargeStatus.SUCCEEDED, 1)] * taken


def test_a_424_is_looked_up_and_known_as_kept_once_it_is_repeated(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    fault = stripe_server.fail("dependency_failed", CREATE, times=1)
    with pytest.raises(OutcomeUnknown) as unknown:
        buyer.payments.charge(buyer.charge())
    assert not isinstance(unknown.value, KeySpent)
    with pytest.raises(KeySpent) as spent:
        buyer.payments.charge(buyer.charge())
    assert (spent.value.just_now, stripe_server.seen(fault)) == (False, 1)
    assert buyer.payments.charge(buyer.charge(attempt=2)).status is ChargeStatus.SUCCEEDED


@pytest.mark.parametrize(
    "error",
    [
        stripe.RateLimitError("locked", http_status=429, headers=REPLAYED, code="lock_timeout"),
        stripe.APIError("conflict", http_status=409, headers=REPLAYED),
        stripe.PermissionError("may not", http_status=403, headers=REPLAYED),
        stripe.APIError("external", http_status=424, headers=REPLAYED),
        stripe.APIError("oops", http_status=500, headers=REPLAYED),
    ],
    ids=lambda error: str(error.http_status),
)
def test_whatever_error_is_repeated_under_a_key_has_spent_it(error: stripe.StripeError) -> None:
    asked = 0

    def ask() -> None:
        nonlocal asked
        asked += 1
        raise error

    with pytest.raises(KeySpent) as spent:
        Calls(patience=9).change(ask, refused=unexpected)
    assert (asked, spent.value.just_now) == (1, False)


def test_a_charge_that_hangs_past_our_patience_is_found_under_its_key(
    stripe_server: StripeStandIn, buyer: Buyer
) -> None:
    stripe_server.fail("hang", CREATE, times=1, seconds=0.8)
    with pytest.raises(OutcomeUnknown):
        stripe_server.payments(read_timeout=0.2, patience=0.3).charge(buyer.charge())
    assert buyer.payments.charge(buyer.charge()).status is ChargeStatus.SUCCEEDED
    assert len(stripe_server.books(buyer.ref)["charges"]) == 1


def test_once_the_key_has_expired_the_charge_is_found_by_listing(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    stripe_server.fail("answer_lost", CREATE)
    with pytest.raises(OutcomeUnknown):
        stripe_server.payments(patience=0.1).charge(buyer.charge())
    stripe_server.calm()
    stripe_server.expire_keys()
    [found] = buyer.found()
    assert (found.status, found.amount_minor) == (ChargeStatus.SUCCEEDED, 11_90)


def test_sixteen_threads_with_one_key_take_the_money_once(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    stripe_server.fail("hang", CREATE, times=1, seconds=0.2)
    with ThreadPoolExecutor(16) as pool:
        charges = list(pool.map(buyer.payments.charge, [buyer.charge()] * 16))
    assert len({charge.ref for charge in charges}) == 1
    assert len(stripe_server.books(buyer.ref)["charges"]) == 1


def test_a_lost_answer_to_a_refund_gives_the_money_back_once(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    charge = buyer.payments.charge(buyer.charge())
    stripe_server.fail("answer_lost", "refunds.create", times=1)
    refund = buyer.payments.refund(buyer.refund(charge.ref, 5_00))
    assert (refund.status, refund.amount_minor, refund.attempt) == (RefundStatus.SUCCEEDED, 5_00, 1)
    assert [r["amount"] for r in stripe_server.books(buyer.ref)["refunds"]] == [5_00]


def test_a_refund_whose_key_expired_is_found_on_its_charge(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    charge = buyer.payments.charge(buyer.charge())
    stripe_server.fail("server_error_after_effect", "refunds.create")
    with pytest.raises(KeySpent):
        buyer.payments.refund(buyer.refund(charge.ref, 5_00, attempt=3))
    found = buyer.payments.find_refunds(charge_ref=charge.ref)
    assert [(refund.amount_minor, refund.attempt) for refund in found] == [(5_00, 3)]


@pytest.mark.parametrize(
    ("token", "at_first", "later"),
    [
        ("pm_card_pendingRefund", RefundStatus.PENDING, RefundStatus.SUCCEEDED),
        ("pm_card_refundFail", RefundStatus.SUCCEEDED, RefundStatus.FAILED),
    ],
)
def test_a_refund_may_change_its_mind_later(
    stripe_server: StripeStandIn, token: str, at_first: RefundStatus, later: RefundStatus
) -> None:
    buyer = new_buyer(stripe_server.payments(), token)
    charge = buyer.payments.charge(buyer.charge())
    assert buyer.payments.refund(buyer.refund(charge.ref)).status is at_first
    assert stripe_server.banks_settle(lambda: buyer.payments.refund(buyer.refund(charge.ref)).status is later)
    assert [refund.status for refund in buyer.payments.find_refunds(charge_ref=charge.ref)] == [later]


def test_looking_up_is_tried_again_and_never_in_doubt(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    charge = buyer.payments.charge(buyer.charge())
    stripe_server.fail("answer_lost", "payment_intents.retrieve", times=1)
    assert buyer.payments.retrieve_charge(charge.ref) == charge
    stripe_server.fail("server_error", "payment_intents.*")
    with pytest.raises(TemporarilyUnavailable) as unavailable:
        stripe_server.payments(patience=0.2).find_charges(
            customer_ref=buyer.ref, order_id=buyer.order, since=buyer.since
        )
    assert type(unavailable.value) is TemporarilyUnavailable


def test_where_a_replayed_charge_cannot_be_looked_at_it_is_not_called_undone(
    stripe_server: StripeStandIn, buyer: Buyer
) -> None:
    buyer.payments.charge(buyer.charge())
    stripe_server.fail("rate_limit", "payment_intents.retrieve")
    with pytest.raises(OutcomeUnknown):
        stripe_server.payments(patience=0.2).charge(buyer.charge())


def test_what_a_bank_is_being_asked_about_is_locked(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    stripe_server.fail("hang_half_way", CREATE, times=1, seconds=600)
    with pytest.raises(OutcomeUnknown):
        stripe_server.payments(read_timeout=0.2, patience=0.3).charge(buyer.charge())
    assert eventually(lambda: bool(stripe_server.books(buyer.ref)["payment_intents"]))
    [made] = buyer.found()
    with pytest.raises(TemporarilyUnavailable):
        stripe_server.payments(patience=0.3).cancel_charge(made.ref)


def test_a_500_half_way_leaves_a_charge_that_can_be_cancelled(stripe_server: StripeStandIn, buyer: Buyer) -> None:
    stripe_server.fail("server_error_half_way", CREATE, times=1)
    with pytest.raises(KeySpent):
        buyer.payments.charge(buyer.charge())
    [made] = buyer.found()
    assert made.status is ChargeStatus.UNTRIED
    assert buyer.payments.cancel_charge(made.ref).status is ChargeStatus.CANCELED
    assert stripe_server.books(buyer.ref)["charges"] == []


def test_a_refused_charge_stays_refused_after_somebody_has_edited_it(
    stripe_server: StripeStandIn, payments: StripePayments
) -> None:
    """Stripe then forgets the error, but not the try."""
    buyer = new_buyer(payments, "pm_card_chargeCustomerFail")
    refused = payments.charge(buyer.charge())
    assert refused.status is ChargeStatus.DECLINED
    [made] = stripe_server.books(buyer.ref)["payment_intents"]
    assert (made["last_payment_error"]["code"], made["latest_charge"] is None) == ("card_declined", False)
    edited = stripe.PaymentIntent.construct_from(made | {"last_payment_error": None}, None)
    assert reading.charge(edited).status is ChargeStatus.DECLINED
