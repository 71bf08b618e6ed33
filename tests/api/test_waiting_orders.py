"""An order that waits says for what and until when, and is brought on, or ended, by its customer."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.orders import Order
from models.payments import ChargeAttempt
from models.rules.vat import BuyerType
from models.states import OrderStatus, PaymentKind
from tasks.sweep import sweep
from tests.api.conftest import Api, problem, purchase, trial
from tests.support import world as worlds
from tests.support.world import MONTH, Customer, World

FRENCH = "FR40303265045"
DECLINING = "pm_card_chargeCustomerFail"


def test_a_declined_card_is_told_and_another_one_completes_the_order(world: World, api: Api) -> None:
    customer = world.customer(card="pm_card_chargeCustomerFail")
    api.use(customer)
    order_id = api.order(customer, purchase())
    world.run(world.rows(Order)[0].id)
    declined = api.get(f"/v1/orders/{order_id}").json()
    assert (declined["status"], declined["reason"]["code"]) == ("payment_declined", "payment-declined")
    assert declined["next"]["action"] == "give_payment_method"
    answer = api.post(f"/v1/orders/{order_id}/payment-method", {"token": "pm_card_mastercard"})
    assert (answer.status_code, answer.json()["status"]) == (200, "open")
    assert world.run(world.rows(Order)[0].id).status is OrderStatus.COMPLETED
    assert world.charged(customer) == [119_00]


def test_a_refused_token_is_told_and_changes_nothing(world: World, api: Api) -> None:
    customer = world.customer(card=None)
    api.use(customer)
    order_id = api.order(customer, purchase())
    world.run(world.rows(Order)[0].id)
    answer = api.post(f"/v1/orders/{order_id}/payment-method", {"token": "pm_card_chargeDeclined"})
    assert problem(answer) == (422, "payment-method-refused")
    assert answer.json()["errors"][0]["pointer"] == "/token"
    assert api.get(f"/v1/orders/{order_id}").json()["status"] == "awaiting_payment_details"


def test_once_the_vat_number_is_mended_the_order_goes_on_without_another_card(world: World, api: Api) -> None:
    customer = world.customer(country="FR")
    api.use(customer)
    order_id = api.order(customer, purchase(seats=10))
    world.change_account(customer, vat_number="FR00123456789")
    world.run(world.rows(Order)[0].id)
    assert api.get(f"/v1/orders/{order_id}").json()["next"]["action"] == "correct_vat_number"
    api("PATCH", f"/v1/accounts/{customer.account_id}", json={"vat_number": None})
    assert api.post(f"/v1/orders/{order_id}/payment-method", {}).json()["status"] == "open"
    assert world.run(world.rows(Order)[0].id).status is OrderStatus.COMPLETED
    assert world.charged(customer) == [120_00]


def without_card_or_number(world: World, api: Api) -> tuple[Customer, UUID]:
    """A French business that could be invoiced on a VAT number, and its order, which waits."""
    world.policy(invoice_on_vat=True)
    customer = world.customer(card=None, country="FR")
    api.use(customer)
    api.order(customer, purchase(seats=10))
    order_id: UUID = world.rows(Order)[0].id
    world.run(order_id)
    return customer, order_id


def test_who_could_give_a_vat_number_instead_is_told_so_and_is_invoiced_on_it(world: World, api: Api) -> None:
    customer, order_id = without_card_or_number(world, api)
    path = f"/v1/orders/{order_id}"
    asked = api.get(path).json()["next"]
    assert (asked["action"], asked["alternatives"]) == ("give_payment_method", ["give_vat_number"])
    api("PATCH", f"/v1/accounts/{customer.account_id}", json={"vat_number": FRENCH})
    assert api.post(f"{path}/payment-method", {}).json()["status"] == "open"
    world.run(order_id)
    asked = api.get(path).json()["next"]
    assert (asked["action"], asked["alternatives"]) == ("confirm_quote", [])
    api.post(f"{path}/confirm", {"quote_id": asked["quote"]["id"]})
    assert world.run(order_id).payment_kind is PaymentKind.INVOICE


def test_whose_card_is_declined_could_give_a_vat_number_instead_too(world: World, api: Api) -> None:
    customer, order_id = without_card_or_number(world, api)
    path = f"/v1/orders/{order_id}"
    api.post(f"{path}/payment-method", {"token": DECLINING})
    assert world.run(order_id).status is OrderStatus.PAYMENT_DECLINED
    assert api.get(path).json()["next"]["alternatives"] == ["give_vat_number"]
    api("PATCH", f"/v1/accounts/{customer.account_id}", json={"vat_number": FRENCH})
    api.post(f"{path}/payment-method", {})
    world.run(order_id)
    api.post(f"{path}/confirm", {"quote_id": api.get(path).json()["next"]["quote"]["id"]})
    assert world.run(order_id).payment_kind is PaymentKind.INVOICE


@pytest.mark.parametrize(
    ("country", "number"), [("FR", FRENCH), ("DE", "DE136695976")], ids=["checked before", "not checked before"]
)
def test_whose_card_is_declined_is_invoiced_instead_on_the_vat_number_given_before(
    world: World, api: Api, country: str, number: str
) -> None:
    world.policy(invoice_on_vat=True)
    customer = world.customer(card=DECLINING, country=country, vat_number=number)
    api.use(customer)
    path = f"/v1/orders/{api.order(customer, purchase(seats=10))}"
    order_id = world.rows(Order)[0].id
    world.run(order_id)
    asked = api.get(path).json()["next"]
    assert (asked["action"], asked["alternatives"]) == ("give_payment_method", ["be_invoiced"])
    api.post(f"{path}/payment-method", {})
    order = world.run(order_id)
    assert (order.status, order.payment_kind) == (OrderStatus.COMPLETED, PaymentKind.INVOICE)
    assert world.charged(customer) == []


def says(world: World, api: Api, customer: Customer, order_id: UUID, **values: Any) -> list[str]:
    """The alternatives once the account says this of itself."""
    if values:
        assert api("PATCH", f"/v1/accounts/{customer.account_id}", json=values).status_code == 200
    told: list[str] = api.get(f"/v1/orders/{order_id}").json()["next"]["alternatives"]
    return told


def test_the_alternatives_are_those_of_the_account_as_it_is_now(world: World, api: Api) -> None:
    customer, order_id = without_card_or_number(world, api)
    assert says(world, api, customer, order_id, vat_number=FRENCH) == ["be_invoiced"]
    world.change_account(customer, vat_number="FR00123456789")
    assert says(world, api, customer, order_id) == ["correct_vat_number"]
    assert says(world, api, customer, order_id, vat_number=None) == ["give_vat_number"]
    world.change_account(customer, country="US")
    assert says(world, api, customer, order_id) == []


def test_who_removes_the_number_after_a_declined_card_may_give_one_and_is_told_so(world: World, api: Api) -> None:
    world.policy(invoice_on_vat=True)
    customer = world.customer(card=DECLINING, country="FR", vat_number=FRENCH)
    api.use(customer)
    order_id = UUID(api.order(customer, purchase(seats=10)))
    world.run(order_id)
    told = api.get(f"/v1/orders/{order_id}").json()["next"]["text"]
    assert told.endswith("You can also be invoiced on the VAT number of your account.")
    assert says(world, api, customer, order_id, vat_number=None) == ["give_vat_number"]
    told = api.get(f"/v1/orders/{order_id}").json()["next"]["text"]
    assert told.endswith("You can also add a VAT number to your account and be invoiced.")


@pytest.mark.parametrize(
    ("invoices", "values"),
    [
        (False, {"vat_number": FRENCH}),
        (False, {}),
        (True, {"buyer_type": BuyerType.CONSUMER}),
        (True, {"country": "US"}),
    ],
    ids=["no invoices, with a number", "no invoices", "a consumer", "no VAT numbers there"],
)
def test_whose_card_is_declined_has_no_choice_where_no_number_would_do(
    world: World, api: Api, invoices: bool, values: dict[str, Any]
) -> None:
    world.policy(invoice_on_vat=invoices)
    customer = world.customer(card=DECLINING, **{"country": "FR", **values})
    api.use(customer)
    order_id = api.order(customer, purchase(seats=10))
    assert world.run(world.rows(Order)[0].id).status is OrderStatus.PAYMENT_DECLINED
    assert api.get(f"/v1/orders/{order_id}").json()["next"]["alternatives"] == []


@pytest.mark.parametrize("number", ["DE136695977", "DE111111109"], ids=["malformed", "not recognised"])
def test_who_gave_a_wrong_vat_number_instead_may_correct_it(world: World, api: Api, number: str) -> None:
    world.policy(invoice_on_vat=True)
    customer = world.customer(card=None, vat_number=number)
    api.use(customer)
    order_id = api.order(customer, purchase())
    world.run(world.rows(Order)[0].id)
    asked = api.get(f"/v1/orders/{order_id}").json()["next"]
    assert (asked["action"], asked["alternatives"]) == ("give_payment_method", ["correct_vat_number"])


def test_where_no_vat_number_would_do_a_payment_method_is_the_only_way(world: World, api: Api) -> None:
    customer = world.customer(card=None)
    api.use(customer)
    order_id = api.order(customer, purchase())
    world.run(world.rows(Order)[0].id)
    asked = api.get(f"/v1/orders/{order_id}").json()["next"]
    assert (asked["action"], asked["alternatives"]) == ("give_payment_method", [])


def test_a_payment_method_that_nobody_waits_for_is_not_taken(world: World, api: Api, ada: Customer) -> None:
    order_id = api.order(ada, purchase())
    before = api.get(f"/v1/accounts/{ada.account_id}/payment-method").json()
    answer = api.post(f"/v1/orders/{order_id}/payment-method", {"token": "pm_card_mastercard"})
    assert problem(answer) == (409, "not-waiting")
    assert api.get(f"/v1/accounts/{ada.account_id}/payment-method").json() == before


def test_authentication_is_asked_for_with_the_address_to_do_it(world: World, api: Api) -> None:
    customer = world.customer(card="pm_card_authenticationRequired")
    api.use(customer)
    order_id = api.order(customer, purchase())
    world.run(world.rows(Order)[0].id)
    order = api.get(f"/v1/orders/{order_id}").json()
    assert (order["status"], order["next"]["action"]) == ("awaiting_authentication", "authenticate")
    assert order["next"]["url"].startswith(world.stripe.url)
    assert "action_url" not in str(order["timeline"])


def waits_until(api: Api, order_id: str) -> datetime | None:
    told = api.get(f"/v1/orders/{order_id}").json()["waits_until"]
    return None if told is None else datetime.fromisoformat(told)


@pytest.mark.parametrize("card", [None, "pm_card_chargeCustomerFail"])
def test_an_order_that_waits_for_means_to_pay_says_until_when(world: World, api: Api, card: str | None) -> None:
    customer = world.customer(card=card)
    api.use(customer)
    order_id = api.order(customer, purchase())
    assert waits_until(api, order_id) is None
    order = world.run(UUID(order_id))
    assert order.status in (OrderStatus.AWAITING_PAYMENT_DETAILS, OrderStatus.PAYMENT_DECLINED)
    assert waits_until(api, order_id) == order.wake_at
    assert timedelta(days=7) - timedelta(minutes=1) < timedelta(seconds=world.wakes_in(order.id)) < timedelta(days=7)
    world.let_waits_run_out(order.id)
    sweep()
    assert api.get(f"/v1/orders/{order_id}").json()["reason"]["code"] == "customer-did-not-answer"
    assert waits_until(api, order_id) is None


def test_an_order_that_waits_for_a_confirmation_says_until_when(world: World, api: Api, ada: Customer) -> None:
    order_id = api.order(ada, purchase())
    world.reprice("desk", "team", MONTH, 11_00)
    order = world.run(UUID(order_id))
    assert order.status is OrderStatus.AWAITING_CONFIRMATION
    assert waits_until(api, order_id) == order.wake_at


def test_a_payment_waits_to_be_authenticated_for_an_hour_from_when_the_bank_was_asked(world: World, api: Api) -> None:
    customer = world.customer(card="pm_card_authenticationRequired")
    api.use(customer)
    order_id = api.order(customer, purchase())
    order = world.run(UUID(order_id))
    [attempt] = world.rows(ChargeAttempt, order_id=order.id)
    assert waits_until(api, order_id) == attempt.asked_at + timedelta(hours=1)
    assert world.wakes_in(order.id) < 60, "the bank is asked long before"


def test_neither_a_completed_order_nor_one_that_a_person_looks_into_says_until_when(
    world: World, api: Api, ada: Customer
) -> None:
    order_id = api.order(ada, purchase())
    world.park(UUID(order_id))
    assert waits_until(api, order_id) is None
    assert waits_until(api, str(world.buy(ada, worlds.purchase("wiki")).id)) is None


def test_a_changed_price_is_shown_as_a_fresh_quote_and_confirming_it_goes_on(
    world: World, api: Api, ada: Customer
) -> None:
    order_id = api.order(ada, purchase(seats=10))
    world.reprice("desk", "team", MONTH, 11_00)
    world.run(world.rows(Order)[0].id)
    order = api.get(f"/v1/orders/{order_id}").json()
    assert (order["status"], order["reason"]["code"]) == ("awaiting_confirmation", "amount-differs")
    fresh = order["next"]["quote"]
    assert (order["next"]["action"], fresh["totals"]["due"]["minor"]) == ("confirm_quote", 130_90)
    confirmed = api.post(f"/v1/orders/{order_id}/confirm", {"quote_id": fresh["id"]})
    assert (confirmed.status_code, confirmed.json()["status"]) == (200, "open")
    assert confirmed.json()["totals"]["due"]["minor"] == 130_90
    assert world.run(world.rows(Order)[0].id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [130_90]


def test_an_order_that_waits_for_nothing_cannot_be_confirmed(api: Api, ada: Customer) -> None:
    order_id = api.order(ada, purchase())
    answer = api.post(f"/v1/orders/{order_id}/confirm", {"quote_id": str(uuid4())})
    assert problem(answer) == (409, "not-waiting")


def test_a_waiting_order_is_cancelled_at_once(world: World, api: Api) -> None:
    customer = world.customer(card=None)
    api.use(customer)
    order_id = api.order(customer, purchase())
    world.run(world.rows(Order)[0].id)
    cancelled = api.post(f"/v1/orders/{order_id}/cancel").json()
    assert (cancelled["status"], cancelled["final"]) == ("cancelled", True)
    assert cancelled["reason"]["code"] == "cancelled-by-customer"
    assert api.post(f"/v1/orders/{order_id}/cancel").json()["status"] == "cancelled"


def test_a_completed_order_can_no_longer_be_cancelled(world: World, api: Api, ada: Customer) -> None:
    order_id = api.order(ada, purchase())
    world.run(world.rows(Order)[0].id)
    assert problem(api.post(f"/v1/orders/{order_id}/cancel")) == (409, "too-late")


def test_a_running_order_is_cancelled_by_its_next_step(world: World, api: Api, ada: Customer) -> None:
    order_id = api.order(ada, purchase())
    asked = api.post(f"/v1/orders/{order_id}/cancel").json()
    assert (asked["status"], asked["cancel_requested_at"]) == ("open", "2026-11-01T09:00:00Z")
    assert asked["status_text"] == "Your order is being cancelled. If anything was charged, it is refunded to you."
    assert world.run(world.rows(Order)[0].id).status is OrderStatus.CANCELLED
    assert world.charged(ada) == []


def test_a_fresh_quote_is_shown_in_the_orders_language_and_by_itself_in_the_accounts(
    world: World, api: Api, ada: Customer
) -> None:
    order_id = api.order(ada, purchase())
    world.reprice("desk", "team", MONTH, 11_00)
    world.run(UUID(order_id))
    world.change_account(ada, language="de")
    shown = api.get(f"/v1/orders/{order_id}").json()
    fresh = shown["next"]["quote"]
    assert (shown["totals"]["total"]["text"], fresh["totals"]["total"]["text"]) == ("€119.00", "€130.90")
    assert fresh["lines"][0]["unit_price"]["text"] == "€11.00"
    assert api.get(f"/v1/quotes/{fresh['id']}").json()["totals"]["total"]["text"] == "130,90\N{NO-BREAK SPACE}€"


def test_after_its_fresh_quote_has_expired_an_order_goes_on_at_a_quote_for_its_own_lines(
    world: World, api: Api, ada: Customer
) -> None:
    order_id = api.order(ada, purchase(), trial("chat"))
    world.reprice("desk", "team", MONTH, 11_00)
    world.run(UUID(order_id))
    world.pass_time(days=1)
    waiting = api.get(f"/v1/orders/{order_id}").json()
    own = f"/v1/orders/{order_id}/confirm"
    assert problem(api.post(own, {"quote_id": waiting["next"]["quote"]["id"]})) == (409, "quote-expired")
    asked = ("action", "product", "tier", "seats", "interval")
    newer = api.quote(ada, *({name: line[name] for name in asked} for line in waiting["lines"]))
    assert api.post(own, {"quote_id": newer.json()["id"]}).json()["status"] == "open"
    assert world.run(UUID(order_id)).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [130_90]


def test_who_cannot_authenticate_pays_with_another_card_in_another_order(world: World, api: Api) -> None:
    customer = world.customer(card="pm_card_threeDSecure2Required")
    api.use(customer)
    order_id = api.order(customer, purchase())
    assert world.run(UUID(order_id)).status is OrderStatus.AWAITING_AUTHENTICATION
    another = {"token": "pm_card_mastercard"}
    assert problem(api.post(f"/v1/orders/{order_id}/payment-method", another)) == (409, "not-waiting")
    api.post(f"/v1/orders/{order_id}/cancel")
    assert world.run(UUID(order_id)).status is OrderStatus.CANCELLED
    assert api("PUT", f"/v1/accounts/{customer.account_id}/payment-method", json=another).status_code == 200
    again = UUID(api.order(customer, purchase()))
    assert world.run(again).status is OrderStatus.COMPLETED
    assert world.charged(customer) == [119_00]
