"""The payment method of an account: given, replaced, refused, declined."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from models.accounts import Contact
from models.payments import ChargeAttempt
from models.states import AttemptStatus, OrderStatus
from tests.api.conftest import Api, problem
from tests.support import world as worlds
from tests.support.payment import DECLINES, declined_often
from tests.support.world import Customer, World


def test_another_payment_method_replaces_the_one_before(api: Api, ada: Customer) -> None:
    own = f"/v1/accounts/{ada.account_id}/payment-method"
    assert api.get(own).json()["payment_method"]["last4"] == "4242"
    assert api("PUT", own, json={"token": "pm_card_mastercard"}).json()["last4"] == "4444"
    assert api.get(own).json()["payment_method"]["brand"] == "mastercard"


def test_an_address_that_the_provider_refuses_keeps_nobody_from_giving_a_card(world: World, api: Api) -> None:
    customer = world.customer(card=None)
    with world.begin() as session:
        session.get_one(Contact, customer.contact_id).email = "jürgen@customer.example"
    api.use(customer)
    own = f"/v1/accounts/{customer.account_id}/payment-method"
    with capture_logs() as logged:
        assert api("PUT", own, json={"token": "pm_card_visa"}).json()["last4"] == "4242"
    assert api.get(own).json()["payment_method"]["last4"] == "4242"
    assert "customer without an email address" in [entry["event"] for entry in logged]
    assert "jürgen" not in str(logged)
    world.run(world.place(customer, worlds.purchase()))
    assert world.charged(customer) == [119_00]


TOO_MANY = (
    "Innerhalb eines Tages wurden zu viele Zahlungen abgelehnt. Bitte versuchen Sie es morgen noch einmal, oder schreiben Sie an"
    " support@prorata.example."
)
OTHERWISE = "Das Zahlungsmittel wurde abgelehnt; bitte geben Sie ein anderes an."


@pytest.mark.parametrize(
    ("token", "code", "why"),
    [
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "Die Karte ist abgelaufen. "),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "Die Prüfnummer der Karte ist falsch. "),
        (
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            "insufficient_funds",
            "Die Karte ist nicht ausreichend gedeckt. ",
        ),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", ""),
        ("pm_card_visa_chargeDeclinedStolenCard", "stolen_card", ""),
        ("pm_card_chargeDeclined", "generic_decline", ""),
    ],
)
def test_a_refused_payment_method_is_told_with_what_is_wrong_with_the_card(
    world: World, api: Api, ada: Customer, token: str, code: str, why: str
) -> None:
    world.change_account(ada, language="de")
    answer = api("PUT", f"/v1/accounts/{ada.account_id}/payment-method", json={"token": token})
    assert problem(answer) == (422, "payment-method-refused")
    told = answer.json()
    assert (told["decline_code"], told["detail"]) == (code, why + OTHERWISE)
    assert told["errors"] == [{"pointer": "/token", "detail": why + OTHERWISE}]


@pytest.mark.parametrize(
    ("language", "why"),
    [
        ("en", "Only cards are accepted. The payment method was refused; please provide another."),
        ("de", "Es werden nur Karten angenommen. " + OTHERWISE),
    ],
)
def test_what_is_no_card_is_refused_and_the_account_keeps_its_card(
    world: World, api: Api, ada: Customer, language: str, why: str
) -> None:
    world.change_account(ada, language=language)
    own = f"/v1/accounts/{ada.account_id}/payment-method"
    answer = api("PUT", own, json={"token": "pm_usBankAccount_success"})
    assert problem(answer) == (422, "payment-method-refused")
    assert (answer.json()["decline_code"], answer.json()["detail"]) == ("not_a_card", why)
    assert api.get(own).json()["payment_method"]["last4"] == "4242"


@pytest.mark.parametrize("token", ["tok_visa", "seti_123", "pm_1AbCdEfGh"])
def test_a_token_that_the_provider_does_not_know_is_explained_to_the_upstream_and_is_no_fault_of_the_card(
    world: World, api: Api, ada: Customer, token: str
) -> None:
    world.change_account(ada, language="de")
    own = f"/v1/accounts/{ada.account_id}/payment-method"
    with capture_logs() as logged:
        answer = api("PUT", own, json={"token": token})
    assert problem(answer) == (422, "payment-method-refused")
    told = answer.json()
    assert told["decline_code"] == "resource_missing"
    assert told["detail"] == (
        "Das Zahlungsmittel konnte nicht gespeichert werden. Das liegt nicht an Ihrer Karte; bitte versuchen Sie es später noch"
        " einmal."
    )
    assert told["errors"] == [
        {
            "pointer": "/token",
            "detail": "There is no such PaymentMethod. It must be the id of one (pm_...) that was made with a publishable key of the same"
            " Stripe account, in the same mode (test or live), as the secret key in use here.",
        }
    ]
    warned = [
        (each["event"], each["account_id"], each["decline_code"]) for each in logged if each["log_level"] == "warning"
    ]
    assert warned == [("no such payment method", str(ada.account_id), "resource_missing")]
    assert token not in str(logged)
    assert api.get(own).json()["payment_method"]["last4"] == "4242"


def test_an_order_that_waits_explains_a_token_that_the_provider_does_not_know(world: World, api: Api) -> None:
    customer = world.customer(card=None)
    api.use(customer)
    order_id = world.place(customer, worlds.purchase())
    world.run(order_id)
    answer = api.post(f"/v1/orders/{order_id}/payment-method", {"token": "tok_visa"})
    assert problem(answer) == (422, "payment-method-refused")
    assert answer.json()["detail"] == (
        "The payment method could not be stored. This is not due to your card; please try again later."
    )
    assert answer.json()["errors"][0]["detail"].startswith("There is no such PaymentMethod. ")
    assert world.order(order_id).status is OrderStatus.AWAITING_PAYMENT_DETAILS


def test_an_account_without_a_payment_method_shows_none(world: World, api: Api) -> None:
    customer = world.customer(card=None)
    api.use(customer)
    nothing = {"payment_method": None, "last_declined": None}
    assert api.get(f"/v1/accounts/{customer.account_id}/payment-method").json() == nothing


def test_after_a_decline_no_method_is_charged_and_the_declined_one_is_told_with_its_code(
    world: World, api: Api
) -> None:
    customer = world.customer(card=DECLINES)
    api.use(customer)
    order_id = world.place(customer, worlds.purchase())
    assert world.run(order_id).status is OrderStatus.PAYMENT_DECLINED
    own = f"/v1/accounts/{customer.account_id}/payment-method"
    shown = api.get(own).json()
    (attempt,) = world.rows(ChargeAttempt, order_id=order_id)
    assert shown["payment_method"] is None
    assert datetime.fromisoformat(shown["last_declined"].pop("declined_at")) == attempt.settled_at
    assert shown["last_declined"] == {"brand": "visa", "last4": "0341", "decline_code": "generic_decline"}
    assert api("PUT", own, json={"token": "pm_card_mastercard"}).json()["status"] == "usable"
    shown = api.get(own).json()
    assert (shown["payment_method"]["last4"], shown["last_declined"]) == ("4444", None)


def test_of_several_declined_methods_the_one_that_was_declined_last_is_told(world: World, api: Api) -> None:
    customer = world.customer(card=DECLINES)
    api.use(customer)
    order_id = world.place(customer, worlds.purchase())
    world.run(order_id)
    said = []
    for token in ("pm_card_threeDSecureRequiredProcessingError", DECLINES):
        assert api.post(f"/v1/orders/{order_id}/payment-method", {"token": token}).status_code == 200
        world.run(order_id)
        told = api.get(f"/v1/accounts/{customer.account_id}/payment-method").json()["last_declined"]
        said.append((told["last4"], told["decline_code"]))
    assert said == [("1280", "processing_error"), ("0341", "generic_decline")]


def test_after_ten_declines_within_a_day_no_other_card_is_taken_by_any_way(world: World, api: Api) -> None:
    customer = world.customer(card=DECLINES, language="de")
    api.use(customer)
    orders = [world.place(customer, worlds.purchase(product)) for product in ("desk", "wiki")]
    own = f"/v1/accounts/{customer.account_id}/payment-method"
    assert world.run(orders[0]).status is OrderStatus.PAYMENT_DECLINED
    assert world.run(orders[1]).status is OrderStatus.AWAITING_PAYMENT_DETAILS
    for number in range(9):
        order_id = orders[number % 2]
        assert api.post(f"/v1/orders/{order_id}/payment-method", {"token": DECLINES}).status_code == 200
        assert world.run(order_id).status is OrderStatus.PAYMENT_DECLINED
    world.stripe.fail("server_error")  # whatever Stripe is asked for now
    for answer in (
        api.post(f"/v1/orders/{orders[0]}/payment-method", {"token": "pm_card_visa"}),
        api("PUT", own, json={"token": "pm_card_visa"}),
    ):
        assert problem(answer) == (409, "too-many-declines")
        assert answer.json()["detail"] == TOO_MANY
        retry_at = datetime.fromisoformat(answer.json()["retry_at"])
        assert (
            timedelta(hours=23) < retry_at - datetime.now(UTC) <= timedelta(days=1, seconds=1)
        )  # up to the next full second
        assert "retry-after" not in answer.headers  # clients that go by it would wait for hours within a request
    world.stripe.calm()
    assert api.get(own).json()["payment_method"] is None
    assert world.run(world.place(customer, worlds.purchase("chat"))).status is OrderStatus.AWAITING_PAYMENT_DETAILS
    api.use(customer, other := world.customer())
    assert api("PUT", f"/v1/accounts/{other.account_id}/payment-method", json={"token": DECLINES}).status_code == 200
    with world.begin() as session:
        a_day_ago = text("update charge_attempts set settled_at = now() - interval '1 day' where attempt = 1")
        session.execute(a_day_ago)
    assert api.post(f"/v1/orders/{orders[0]}/payment-method", {"token": "pm_card_visa"}).status_code == 200
    assert world.run(orders[0]).status is OrderStatus.COMPLETED


def test_what_is_to_be_done_next_says_from_when_another_card_is_taken(world: World, api: Api) -> None:
    customer = world.customer(card=DECLINES)
    api.use(customer)
    order_id = declined_often(world, customer)
    refused = api.post(f"/v1/orders/{order_id}/payment-method", {"token": "pm_card_visa"}).json()
    assert api.get(f"/v1/orders/{order_id}").json()["next"]["retry_at"] == refused["retry_at"]
    with world.begin() as session:
        session.get_one(ChargeAttempt, (order_id, 10)).status = AttemptStatus.CANCELED
    assert api.get(f"/v1/orders/{order_id}").json()["next"]["retry_at"] is None


def test_nine_declines_within_a_day_are_not_too_many(world: World, api: Api) -> None:
    customer = world.customer(card=DECLINES)
    api.use(customer)
    order_id = declined_often(world, customer)
    with world.begin() as session:
        session.get_one(ChargeAttempt, (order_id, 10)).status = AttemptStatus.CANCELED
    assert api.post(f"/v1/orders/{order_id}/payment-method", {"token": "pm_card_visa"}).status_code == 200


def test_the_payment_provider_being_away_is_no_failure_of_ours(world: World, api: Api, ada: Customer) -> None:
    world.stripe.fail("server_error", "payment_methods.attach")
    answer = api("PUT", f"/v1/accounts/{ada.account_id}/payment-method", json={"token": "pm_card_mastercard"})
    assert problem(answer) == (503, "temporarily-unavailable")
    assert answer.headers["retry-after"] == "5"
