"""What every payment provider must do (`tasks.ports.PaymentProvider`), whoever it is: for another one, make the fixture `provider` return yours."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from models.states import DisputeStatus
from tasks.errors import (
    ChargeDisputed,
    Misconfigured,
    OutcomeUnknown,
    PaymentMethodRefused,
    Refused,
    TemporarilyUnavailable,
)
from tasks.ports import PLANS_HOLD, ChargeStatus, EventKind, PaymentProvider, RefundStatus
from tests.support.buyer import Buyer, new_buyer
from tests.support.messages import eventually
from tests.support.provider_under_test import ProviderUnderTest, StripeUnderTest
from tests.support.stripe_stand_in import StripeStandIn

A_MINUTE = timedelta(minutes=1)


@pytest.fixture
def provider(stripe_server: StripeStandIn) -> ProviderUnderTest:
    return StripeUnderTest(stripe_server)


@pytest.fixture
def buyer(provider: ProviderUnderTest) -> Buyer:
    return new_buyer(provider.payments, provider.good_card)


# --- amounts


def test_a_charge_takes_the_amount_and_names_the_order(provider: ProviderUnderTest, buyer: Buyer) -> None:
    charge = buyer.payments.charge(buyer.charge(11_90))
    assert (charge.status, charge.amount_minor, charge.currency) == (ChargeStatus.SUCCEEDED, 11_90, "EUR")
    assert (charge.order_id, charge.attempt) == (buyer.order, 1)
    assert provider.taken(buyer.ref) == [11_90]


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD"])
def test_amounts_are_in_the_currencys_minor_units_however_many_decimals_it_has(
    provider: ProviderUnderTest, buyer: Buyer, currency: str
) -> None:
    amount = 1_234 * buyer.payments.charge_unit(currency)
    charge = buyer.payments.charge(buyer.charge(amount, currency))
    refund = buyer.payments.refund(buyer.refund(charge.ref, amount, currency))
    for told in (charge, buyer.payments.retrieve_charge(charge.ref), refund):
        assert (told.amount_minor, told.currency) == (amount, currency)
    assert (provider.taken(buyer.ref), provider.given_back(buyer.ref)) == ([amount], [amount])


# --- the same key


def test_the_same_key_charges_once_and_says_that_it_did_before(provider: ProviderUnderTest, buyer: Buyer) -> None:
    first, again = (buyer.payments.charge(buyer.charge()) for _ in "12")
    assert first == again
    assert (first.made_before, again.made_before) == (False, True)
    assert provider.taken(buyer.ref) == [11_90]


def test_another_key_charges_again(provider: ProviderUnderTest, buyer: Buyer) -> None:
    refs = {buyer.payments.charge(buyer.charge(attempt=attempt)).ref for attempt in (1, 2)}
    assert len(refs) == 2
    assert provider.taken(buyer.ref) == [11_90, 11_90]


def test_the_same_key_refunds_once(provider: ProviderUnderTest, buyer: Buyer) -> None:
    charge = buyer.payments.charge(buyer.charge())
    first, again = (buyer.payments.refund(buyer.refund(charge.ref, 5_00)) for _ in "12")
    assert first == again
    assert (first.status, first.order_id, first.attempt) == (RefundStatus.SUCCEEDED, buyer.order, 1)
    assert first.charge_ref == charge.ref
    assert provider.given_back(buyer.ref) == [5_00]


def test_the_same_key_gives_the_same_customer_and_the_same_card(provider: ProviderUnderTest) -> None:
    account = uuid4()

    def given() -> tuple[str, str]:
        made = provider.payments.create_customer(account_id=account, name="A", email="a@b.example", key=f"a:{account}")
        card = provider.payments.attach_payment_method(
            customer_ref=made, token=provider.good_card, key=f"a:{account}:card"
        )
        assert (len(card.last4), bool(card.brand)) == (4, True)
        return made, card.ref

    assert given() == given()


def test_asked_again_under_the_same_key_a_charge_is_told_as_it_is_now(provider: ProviderUnderTest) -> None:
    buyer = new_buyer(provider.payments, provider.authenticated_card)
    provider.authenticate(buyer.payments.charge(buyer.charge()), passes=True)
    assert buyer.payments.charge(buyer.charge()).status is ChargeStatus.SUCCEEDED


# --- what is in doubt, and what is not


def test_a_charge_whose_answer_is_lost_is_in_doubt_and_is_found(provider: ProviderUnderTest, buyer: Buyer) -> None:
    losing = provider.loses_answers()
    with pytest.raises(OutcomeUnknown):
        losing.charge(buyer.charge())
    provider.is_well_again()
    [found] = buyer.found()
    assert (found.status, found.amount_minor, found.attempt) == (ChargeStatus.SUCCEEDED, 11_90, 1)
    assert buyer.payments.charge(buyer.charge()).ref == found.ref
    assert provider.taken(buyer.ref) == [11_90]


def test_a_refund_whose_answer_is_lost_is_in_doubt_and_is_found(provider: ProviderUnderTest, buyer: Buyer) -> None:
    charge = buyer.payments.charge(buyer.charge())
    losing = provider.loses_answers()
    with pytest.raises(OutcomeUnknown):
        losing.refund(buyer.refund(charge.ref, 5_00, attempt=3))
    provider.is_well_again()
    [found] = buyer.payments.find_refunds(charge_ref=charge.ref)
    assert (found.amount_minor, found.currency, found.order_id, found.attempt) == (5_00, "EUR", buyer.order, 3)
    assert buyer.payments.refund(buyer.refund(charge.ref, 5_00, attempt=3)).ref == found.ref
    assert provider.given_back(buyer.ref) == [5_00]


def test_who_is_turned_away_has_done_nothing_and_is_not_in_doubt(provider: ProviderUnderTest, buyer: Buyer) -> None:
    paid = buyer.payments.charge(buyer.charge())
    turned_away = provider.turns_away()
    for ask in (
        lambda: turned_away.charge(buyer.charge(attempt=2)),
        lambda: turned_away.refund(buyer.refund(paid.ref)),
    ):
        with pytest.raises(TemporarilyUnavailable) as unavailable:
            ask()
        assert type(unavailable.value) is TemporarilyUnavailable
    assert (provider.taken(buyer.ref), provider.given_back(buyer.ref)) == ([11_90], [])


ASKS: dict[str, Callable[[PaymentProvider, Buyer, str], object]] = {
    "retrieve_charge": lambda payments, _, charge: payments.retrieve_charge(charge),
    "find_charges": lambda payments, buyer, _: replace(buyer, payments=payments).found(),
    "find_refunds": lambda payments, _, charge: payments.find_refunds(charge_ref=charge),
    "find_disputes": lambda payments, _, charge: payments.find_disputes(charge_ref=charge),
    "charges_made": lambda payments, buyer, _: list(payments.charges_made(buyer.since, buyer.since + A_MINUTE)),
    "refunds_made": lambda payments, buyer, _: list(payments.refunds_made(buyer.since, buyer.since + A_MINUTE)),
    "disputes_made": lambda payments, buyer, _: list(payments.disputes_made(buyer.since, buyer.since + A_MINUTE)),
}
"""what changes nothing"""


@pytest.mark.parametrize("trouble", ["loses_answers", "turns_away"])
@pytest.mark.parametrize("ask", ASKS)
def test_who_only_asks_is_never_in_doubt(provider: ProviderUnderTest, buyer: Buyer, ask: str, trouble: str) -> None:
    charge = buyer.payments.charge(buyer.charge())
    troubled: PaymentProvider = getattr(provider, trouble)()
    with pytest.raises(TemporarilyUnavailable) as unavailable:
        ASKS[ask](troubled, buyer, charge.ref)
    assert type(unavailable.value) is TemporarilyUnavailable


@pytest.mark.parametrize("ask", [*ASKS, "charge", "refund"])
def test_a_wrong_key_is_our_mistake_and_is_not_repeated_in_the_error(
    provider: ProviderUnderTest, buyer: Buyer, ask: str
) -> None:
    charge = buyer.payments.charge(buyer.charge())
    mistaken = provider.with_wrong_key("sk_test_not_the_right_one")
    changes: dict[str, Callable[[PaymentProvider, Buyer, str], object]] = {
        "charge": lambda payments, buyer, _: payments.charge(buyer.charge(attempt=2)),
        "refund": lambda payments, buyer, charge: payments.refund(buyer.refund(charge)),
    }
    with pytest.raises(Misconfigured) as wrong:
        (ASKS | changes)[ask](mistaken, buyer, charge.ref)
    assert "sk_test" not in str(wrong.value)


def test_who_was_frozen_until_others_may_have_given_the_attempt_up_asks_for_nothing(
    provider: ProviderUnderTest, buyer: Buyer
) -> None:
    planned = replace(buyer.charge(), made_at=time.time() - PLANS_HOLD - 1)
    with pytest.raises(OutcomeUnknown):
        buyer.payments.charge(planned)
    assert buyer.found() == []


# --- cards


def test_a_declined_card_is_an_answer_with_its_code_and_takes_nothing(provider: ProviderUnderTest) -> None:
    buyer = new_buyer(provider.payments, provider.declined_card)
    charge = buyer.payments.charge(buyer.charge())
    assert charge.status is ChargeStatus.DECLINED
    assert charge.decline_code
    for told in (buyer.payments.charge(buyer.charge()), buyer.payments.retrieve_charge(charge.ref), *buyer.found()):
        assert told == charge
    assert provider.taken(buyer.ref) == []


def test_a_card_that_is_refused_when_it_is_given_is_refused_with_its_reason(
    provider: ProviderUnderTest, buyer: Buyer
) -> None:
    with pytest.raises(PaymentMethodRefused) as refused:
        buyer.payments.attach_payment_method(customer_ref=buyer.ref, token=provider.refused_card, key=str(uuid4()))
    assert refused.value.code


def test_a_card_of_somebody_else_cannot_be_charged(provider: ProviderUnderTest, buyer: Buyer) -> None:
    stranger = new_buyer(provider.payments, provider.good_card)
    stranger.card = buyer.card
    with pytest.raises(PaymentMethodRefused):
        provider.payments.charge(stranger.charge())
    assert provider.taken(stranger.ref) == provider.taken(buyer.ref) == []


@pytest.mark.parametrize(("passes", "status"), [(True, ChargeStatus.SUCCEEDED), (False, ChargeStatus.DECLINED)])
def test_a_charge_waits_for_the_customer_and_is_decided_then(
    provider: ProviderUnderTest, passes: bool, status: ChargeStatus
) -> None:
    buyer = new_buyer(provider.payments, provider.authenticated_card)
    waiting = buyer.payments.charge(buyer.charge())
    assert (waiting.status, bool(waiting.action_url)) == (ChargeStatus.REQUIRES_ACTION, True)
    assert provider.taken(buyer.ref) == []
    provider.authenticate(waiting, passes=passes)
    decided = buyer.payments.retrieve_charge(waiting.ref)
    assert (decided.status, bool(decided.decline_code), decided.action_url) == (status, not passes, None)
    assert provider.taken(buyer.ref) == ([11_90] if passes else [])


def test_a_waiting_charge_can_be_cancelled_twice_and_never_authenticated_after(provider: ProviderUnderTest) -> None:
    buyer = new_buyer(provider.payments, provider.authenticated_card)
    waiting = buyer.payments.charge(buyer.charge())
    assert [buyer.payments.cancel_charge(waiting.ref).status for _ in "12"] == [ChargeStatus.CANCELED] * 2
    provider.authenticate(waiting, passes=True)
    assert buyer.payments.retrieve_charge(waiting.ref).status is ChargeStatus.CANCELED
    assert provider.taken(buyer.ref) == []


def test_cancelling_a_charge_that_succeeded_leaves_it_alone(provider: ProviderUnderTest, buyer: Buyer) -> None:
    charge = buyer.payments.charge(buyer.charge())
    assert buyer.payments.cancel_charge(charge.ref) == charge
    assert (provider.taken(buyer.ref), provider.given_back(buyer.ref)) == ([11_90], [])


def test_a_charge_whose_bank_has_not_answered_yet_is_untried_and_not_declined(
    provider: ProviderUnderTest, buyer: Buyer
) -> None:
    waiting = provider.waits_for_the_bank()
    with pytest.raises(OutcomeUnknown):
        waiting.charge(buyer.charge())
    assert eventually(lambda: bool(buyer.found()))
    [made] = buyer.found()
    assert (made.status, made.decline_code, made.attempt) == (ChargeStatus.UNTRIED, None, 1)
    assert buyer.payments.retrieve_charge(made.ref).status is ChargeStatus.UNTRIED
    provider.is_well_again()
    again = buyer.payments.charge(buyer.charge())
    assert (again.ref, again.status) == (made.ref, ChargeStatus.SUCCEEDED)
    assert provider.taken(buyer.ref) == [11_90]


# --- looking charges up


def test_the_charges_of_an_order_are_found_newest_first_and_no_others(buyer: Buyer) -> None:
    mine = [buyer.payments.charge(buyer.charge(attempt=attempt)).ref for attempt in (1, 2)]
    buyer.payments.charge(replace(buyer, order=uuid4()).charge())
    assert [(charge.ref, charge.order_id, charge.attempt) for charge in buyer.found()] == [
        (mine[1], buyer.order, 2),
        (mine[0], buyer.order, 1),
    ]


def test_charges_are_not_looked_for_with_a_customer_whom_the_provider_does_not_know(buyer: Buyer) -> None:
    """An empty list would say that the order was never charged."""
    buyer.payments.charge(buyer.charge())
    buyer.ref = "cus_of_another_provider"
    with pytest.raises(Misconfigured, match="cus_of_another_provider"):
        buyer.found()


def test_the_charges_of_a_deleted_customers_order_are_found(provider: ProviderUnderTest, buyer: Buyer) -> None:
    paid = buyer.payments.charge(buyer.charge())
    provider.delete_customer(buyer.ref)
    assert paid.ref in [charge.ref for charge in buyer.found()]


def test_what_was_made_in_a_time_is_listed_whoever_made_it(provider: ProviderUnderTest, buyer: Buyer) -> None:
    payments = buyer.payments
    charges = [payments.charge(buyer.charge(attempt=attempt)).ref for attempt in (1, 2)]
    refund = payments.refund(buyer.refund(charges[0], 5_00)).ref
    provider.dispute(charges[1])
    [dispute] = [each.ref for each in payments.find_disputes(charge_ref=charges[1])]

    def listed(since: timedelta, until: timedelta) -> list[list[str]]:
        within = buyer.since + since, buyer.since + until
        lists = payments.charges_made(*within), payments.refunds_made(*within), payments.disputes_made(*within)
        return [[each.ref for each in made if each.ref in {*charges, refund, dispute}] for made in lists]

    assert listed(-A_MINUTE, 5 * A_MINUTE) == [charges[::-1], [refund], [dispute]]
    assert listed(-5 * A_MINUTE, -A_MINUTE) == [[], [], []]


# --- money that goes back


def test_a_charge_that_is_looked_up_tells_how_much_of_it_went_back(buyer: Buyer) -> None:
    charge = buyer.payments.charge(buyer.charge(11_90))

    def seen() -> set[tuple[bool, int]]:
        looked_up = [buyer.payments.charge(buyer.charge(11_90)), buyer.payments.retrieve_charge(charge.ref)]
        return {(each.refunded, each.refunded_minor) for each in (*looked_up, *buyer.found())}

    assert seen() == {(False, 0)}
    buyer.payments.refund(buyer.refund(charge.ref, 11_89))
    assert seen() == {(False, 11_89)}
    buyer.payments.refund(buyer.refund(charge.ref, 1, attempt=2))
    assert seen() == {(True, 11_90)}


def test_more_than_was_taken_is_never_given_back(provider: ProviderUnderTest, buyer: Buyer) -> None:
    charge = buyer.payments.charge(buyer.charge(11_90))
    buyer.payments.refund(buyer.refund(charge.ref, 11_00))
    with pytest.raises(Refused):
        buyer.payments.refund(buyer.refund(charge.ref, 91, attempt=2))
    buyer.payments.refund(buyer.refund(charge.ref, 90, attempt=3))
    with pytest.raises(Refused):
        buyer.payments.refund(buyer.refund(charge.ref, 1, attempt=4))
    assert sorted(provider.given_back(buyer.ref)) == [90, 11_00]


def test_a_charge_that_its_bank_has_taken_back_says_so_and_is_not_refunded(
    provider: ProviderUnderTest, buyer: Buyer
) -> None:
    charge = buyer.payments.charge(buyer.charge(11_90))
    assert (charge.disputed, buyer.payments.find_disputes(charge_ref=charge.ref)) == (False, [])
    provider.dispute(charge.ref)
    assert [each.disputed for each in (buyer.payments.retrieve_charge(charge.ref), *buyer.found())] == [True, True]
    [dispute] = buyer.payments.find_disputes(charge_ref=charge.ref)
    assert (dispute.status, dispute.refundable) == (DisputeStatus.CHARGEBACK, False)
    assert (dispute.amount_minor, dispute.currency, dispute.charge_ref) == (11_90, "EUR", charge.ref)
    with pytest.raises(ChargeDisputed):
        buyer.payments.refund(buyer.refund(charge.ref))
    assert provider.given_back(buyer.ref) == []


# --- notifications


def test_notifications_of_charges_and_refunds_are_told_apart_and_name_the_charge(
    provider: ProviderUnderTest, buyer: Buyer
) -> None:
    told: set[EventKind] = set()
    with provider.notifications() as next_one:
        charge = buyer.payments.charge(buyer.charge())
        buyer.payments.refund(buyer.refund(charge.ref))
        while not told >= {EventKind.TAKEN, EventKind.REFUND}:
            payload, signature = next_one()
            event = buyer.payments.read_webhook(payload=payload, signature=signature)
            assert event.charge_ref == charge.ref
            told.add(buyer.payments.event_kinds.get(event.type, EventKind.OTHER))
            with pytest.raises(Refused) as refused:
                buyer.payments.read_webhook(payload=payload + b" ", signature=signature)
            assert refused.value.code == "signature"


def test_what_is_signed_and_no_event_is_malformed_and_what_is_not_signed_is_forged_whatever_it_says(
    provider: ProviderUnderTest,
) -> None:
    for payload in (b"[]", b"{}", b"not json"):
        for signature, code in ((provider.sign(payload), "malformed"), (provider.sign(b"other"), "signature")):
            with pytest.raises(Refused) as refused:
                provider.payments.read_webhook(payload=payload, signature=signature)
            assert refused.value.code == code
