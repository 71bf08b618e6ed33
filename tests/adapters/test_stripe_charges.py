"""Charging through the Stripe adapter, against the stand-in over HTTP."""

from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from tasks.errors import KeyReused, Misconfigured, PaymentMethodRefused, Refused, TemporarilyUnavailable
from tasks.ports import ChargeStatus
from tests.support.buyer import Buyer, new_buyer
from tests.support.command import SETTINGS
from tests.support.stripe_stand_in import API_KEY, ORDERS_PAGE, StripeStandIn
from worker.adapters import stripe_pages
from worker.adapters.stripe import StripePayments
from worker.database import engine
from worker.settings import Settings
from worker.wiring import wired


def test_the_same_key_for_another_request_is_told_apart_and_takes_nothing(
    stripe_server: StripeStandIn, buyer: Buyer
) -> None:
    buyer.payments.charge(buyer.charge(11_90))
    with pytest.raises(KeyReused):
        buyer.payments.charge(buyer.charge(11_91))
    assert [c["amount"] for c in stripe_server.books(buyer.ref)["charges"]] == [11_90]


def test_a_refused_card_is_asked_about_once_and_has_its_decline_code(
    stripe_server: StripeStandIn, payments: StripePayments
) -> None:
    buyer = new_buyer(payments, "pm_card_chargeCustomerFail")
    asked = stripe_server.fail("hang", "payment_intents.create", seconds=0)
    charge = payments.charge(buyer.charge())
    assert (charge.status, charge.decline_code) == (ChargeStatus.DECLINED, "generic_decline")
    assert stripe_server.seen(asked) == 1


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("pm_card_visa_chargeDeclined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "lost_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error"),
        ("pm_unheard_of", "resource_missing"),
    ],
)
def test_a_card_that_cannot_be_stored_is_refused_with_its_reason(buyer: Buyer, token: str, code: str) -> None:
    with pytest.raises(PaymentMethodRefused) as refused:
        buyer.payments.attach_payment_method(customer_ref=buyer.ref, token=token, key=f"{buyer.ref}:{token}")
    assert refused.value.code == code


def test_a_card_that_was_detached_cannot_be_charged_also_where_stripe_repeats_that(
    stripe_server: StripeStandIn, buyer: Buyer
) -> None:
    stripe_server.client().v1.payment_methods.detach(buyer.card)
    for _ in "12":
        with pytest.raises(PaymentMethodRefused) as refused:
            buyer.payments.charge(buyer.charge())
        assert refused.value.code == "payment_method_unusable"
    assert stripe_server.books(buyer.ref)["payment_intents"] == []


def test_a_refusal_of_something_else_than_the_card_is_one_for_a_person(buyer: Buyer) -> None:
    with pytest.raises(Misconfigured, match="InvalidRequestError amount 400"):
        buyer.payments.charge(buyer.charge(12_345, "KWD"))


def test_where_the_card_of_a_refused_charge_cannot_be_looked_at_it_is_tried_again_later(
    stripe_server: StripeStandIn, buyer: Buyer
) -> None:
    stripe_server.client().v1.payment_methods.detach(buyer.card)
    stripe_server.fail("rate_limit", "payment_methods.retrieve")
    with pytest.raises(TemporarilyUnavailable) as unavailable:
        stripe_server.payments(patience=0.2).charge(buyer.charge())
    assert type(unavailable.value) is TemporarilyUnavailable
    stripe_server.calm()
    with pytest.raises(PaymentMethodRefused):
        buyer.payments.charge(buyer.charge())


def test_a_card_that_is_given_again_after_it_was_detached_is_refused(
    stripe_server: StripeStandIn, buyer: Buyer
) -> None:
    key = f"account:{buyer.order}:pm_card_visa"
    given = [buyer.payments.attach_payment_method(customer_ref=buyer.ref, token="pm_card_visa", key=key) for _ in "12"]
    assert given[0] == given[1]
    stripe_server.client().v1.payment_methods.detach(given[0].ref)
    with pytest.raises(PaymentMethodRefused) as refused:
        buyer.payments.attach_payment_method(customer_ref=buyer.ref, token="pm_card_visa", key=key)
    assert refused.value.code == "payment_method_unusable"


def test_what_is_no_card_is_refused_each_time_and_does_not_stay_attached(
    stripe_server: StripeStandIn, buyer: Buyer
) -> None:
    token, key = "pm_usBankAccount_success", f"account:{buyer.order}:bank"
    for _ in "12":
        with pytest.raises(PaymentMethodRefused) as refused:
            buyer.payments.attach_payment_method(customer_ref=buyer.ref, token=token, key=key)
        assert refused.value.code == "not_a_card"
    attached = stripe_server.client().v1.customers.payment_methods.list(buyer.ref).data
    assert [method.id for method in attached] == [buyer.card]


def test_what_is_no_card_and_was_stored_all_the_same_cannot_be_charged(
    stripe_server: StripeStandIn, buyer: Buyer
) -> None:
    attach = stripe_server.client().v1.payment_methods.attach
    buyer.card = attach("pm_usBankAccount_success", {"customer": buyer.ref}).id
    with pytest.raises(PaymentMethodRefused) as refused:
        buyer.payments.charge(buyer.charge())
    assert refused.value.code == "payment_intent_invalid_parameter"


@pytest.mark.parametrize("public", ["https://shop.example/billing", "https://shop.example/billing/"])
def test_the_bank_sends_a_customer_back_to_the_orders_page_of_the_billing_center(
    stripe_server: StripeStandIn, public: str
) -> None:
    given = SETTINGS | {"PRORATA_STRIPE_API_BASE": stripe_server.url, "PRORATA_STRIPE_API_KEY": API_KEY}
    chosen = Settings.model_validate(
        {name.removeprefix("PRORATA_").lower(): value for name, value in given.items()} | {"public_url": public}
    )
    payments = wired(chosen, engine(chosen)).payments
    assert isinstance(payments, StripePayments)
    buyer = new_buyer(payments, "pm_card_threeDSecure2Required")
    waiting = payments.charge(buyer.charge())
    left = httpx.post(waiting.action_url or "", data={"outcome": "succeed"}, timeout=240)
    assert left.headers["location"].partition("?")[0] == f"https://shop.example/billing/orders/{buyer.order}"


@pytest.mark.parametrize(
    ("outcome", "status", "decline_code"),
    [
        ("succeed", ChargeStatus.SUCCEEDED, None),
        ("fail", ChargeStatus.DECLINED, "payment_intent_authentication_failure"),
    ],
)
def test_three_d_secure_waits_for_the_customer_and_then_decides(
    payments: StripePayments, outcome: str, status: ChargeStatus, decline_code: str | None
) -> None:
    buyer = new_buyer(payments, "pm_card_threeDSecure2Required")
    waiting = payments.charge(buyer.charge())
    assert waiting.status is ChargeStatus.REQUIRES_ACTION
    assert waiting.action_url is not None
    assert "Pay 11.90 eur?" in httpx.get(waiting.action_url, timeout=240).text
    left = httpx.post(waiting.action_url, data={"outcome": outcome}, timeout=240)
    assert left.headers["location"].startswith(f"{ORDERS_PAGE}/{buyer.order}?payment_intent={waiting.ref}")
    decided = payments.retrieve_charge(waiting.ref)
    assert (decided.status, decided.decline_code, decided.action_url) == (status, decline_code, None)


def test_a_card_can_be_refused_after_authentication(payments: StripePayments) -> None:
    buyer = new_buyer(payments, "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds")
    waiting = payments.charge(buyer.charge())
    httpx.post(waiting.action_url or "", data={"outcome": "succeed"}, timeout=240)
    assert payments.retrieve_charge(waiting.ref).decline_code == "insufficient_funds"


@pytest.mark.parametrize(
    ("currency", "minor", "on_the_wire"), [("JPY", 1200, 1200), ("KWD", 12_340, 12_340), ("ISK", 900, 900_00)]
)
def test_minor_units_arrive_as_stripe_counts_them(
    stripe_server: StripeStandIn, buyer: Buyer, currency: str, minor: int, on_the_wire: int
) -> None:
    charge = buyer.payments.charge(buyer.charge(minor, currency))
    assert (charge.amount_minor, charge.currency) == (minor, currency)
    assert [c["amount"] for c in stripe_server.books(buyer.ref)["charges"]] == [on_the_wire]


@pytest.mark.parametrize(("amount", "taken"), [(49, False), (50, True)])
def test_an_amount_below_stripes_minimum_is_refused(
    stripe_server: StripeStandIn, buyer: Buyer, amount: int, taken: bool
) -> None:
    if taken:
        buyer.payments.charge(buyer.charge(amount))
    else:
        with pytest.raises(Refused) as refused:
            buyer.payments.charge(buyer.charge(amount))
        assert refused.value.code == "amount_too_small"
    assert len(stripe_server.books(buyer.ref)["charges"]) == int(taken)


def test_the_charges_of_an_order_are_found_newest_first_over_several_pages(
    buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_pages, "PAGE", 2)
    mine = [buyer.payments.charge(buyer.charge(attempt=attempt)).ref for attempt in (1, 2, 3)]
    order, buyer.order = buyer.order, uuid4()
    buyer.payments.charge(buyer.charge())
    assert [
        charge.ref for charge in buyer.payments.find_charges(customer_ref=buyer.ref, order_id=order, since=buyer.since)
    ] == mine[::-1]


def test_the_charges_of_a_deleted_customers_order_are_found_among_those_of_everybody(
    stripe_server: StripeStandIn, payments: StripePayments, buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_pages, "PAGE", 2)
    mine = [payments.charge(buyer.charge(attempt=attempt)).ref for attempt in (1, 2)]
    for _ in "123":
        payments.charge(new_buyer(payments).charge())
    payments.refund(buyer.refund(mine[0]))
    stripe_server.client().v1.customers.delete(buyer.ref)
    assert [(charge.ref, charge.refunded) for charge in buyer.found()] == [(mine[1], False), (mine[0], True)]


def of_the_same_order(buyer: Buyer, *, instead_of: str | None) -> Buyer:
    """Another customer, made later."""
    account = uuid4()
    ref = buyer.payments.create_customer(
        account_id=account, name="Ada", email=None, key=f"account:{account}", instead_of=instead_of
    )
    return Buyer(buyer.payments, ref, buyer.card, order=buyer.order, since=buyer.since)


def test_the_charges_of_an_order_that_is_older_than_its_customer_are_found_among_those_of_everybody(
    buyer: Buyer,
) -> None:
    """The account was another customer before, who was deleted, and may have been a third since."""
    paid = buyer.payments.charge(buyer.charge()).ref
    assert [charge.ref for charge in of_the_same_order(buyer, instead_of="cus_deleted").found()] == [paid]


def test_everybodys_charges_are_not_listed_for_an_accounts_first_customer(
    stripe_server: StripeStandIn, buyer: Buyer
) -> None:
    """An order may wait for days for its account's first card: all charges of that time would be listed before it is charged."""
    buyer.payments.charge(buyer.charge())
    lists = stripe_server.fail("hang", "payment_intents.list", seconds=0)
    assert of_the_same_order(buyer, instead_of=None).found() == []
    assert stripe_server.seen(lists) == 1


@pytest.mark.parametrize(("older_by", "among_everybodys"), [(3600, True), (3601, False)])
def test_everybodys_charges_are_not_listed_for_a_customer_that_is_surely_older_than_the_order(
    stripe_server: StripeStandIn, buyer: Buyer, older_by: int, among_everybodys: bool
) -> None:
    """Stripe's clock may be an hour behind ours."""
    paid = buyer.payments.charge(buyer.charge()).ref
    other = of_the_same_order(buyer, instead_of="cus_deleted")
    made = int(other.since.timestamp())
    other.since = datetime.fromtimestamp(made, UTC)
    stripe_server.control("change", id=other.ref, values={"created": made - older_by})
    lists = stripe_server.fail("hang", "payment_intents.list", seconds=0)
    assert [charge.ref for charge in other.found()] == ([paid] if among_everybodys else [])
    assert (stripe_server.seen(lists) > 1) is among_everybodys


def test_everybodys_charges_are_not_listed_where_the_customer_has_some_of_the_order(
    stripe_server: StripeStandIn, buyer: Buyer
) -> None:
    paid = buyer.payments.charge(buyer.charge()).ref
    lists = stripe_server.fail("hang", "payment_intents.list", seconds=0)
    assert [charge.ref for charge in buyer.found()] == [paid]
    assert stripe_server.seen(lists) == 1


def test_when_stripe_cannot_be_reached_nothing_was_done(unused_tcp_port: int) -> None:
    payments = StripePayments(
        api_key="sk_test_x",
        webhook_secret="x",
        orders_page=ORDERS_PAGE,
        api_base=f"http://127.0.0.1:{unused_tcp_port}",
        patience=0.2,
    )
    with pytest.raises(TemporarilyUnavailable) as unavailable:
        payments.charge(Buyer(payments, "cus_1", "pm_1").charge())
    assert type(unavailable.value) is TemporarilyUnavailable


def test_neither_logs_nor_values_tell_secrets_or_addresses(
    stripe_server: StripeStandIn, payments: StripePayments, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        buyer = new_buyer(payments, "pm_card_threeDSecure2Required")
        stripe_server.fail("rate_limit", times=1)
        shown = repr(payments.charge(buyer.charge()))
    assert "RateLimitError 429" in caplog.text
    for secret in ("_secret_", "ada@example.com", "sk_test_prorata", "/authenticate/", "ticket="):
        assert secret not in caplog.text + shown
