"""A payment method is removed from its account: nothing is charged to it any more."""

from uuid import UUID, uuid4

import pytest

from models.accounts import VatCheckStatus
from models.payments import ChargeAttempt
from models.rules.period import Interval
from models.states import OrderStatus, PaymentKind, Step
from tests.api.conftest import Api, problem
from tests.support.payment import ASKS_BANK, DECLINES
from tests.support.vat_outage import NUMBER
from tests.support.world import Customer, World, purchase, trial


def path(customer: Customer) -> str:
    return f"/v1/accounts/{customer.account_id}/payment-method"


def removed(api: Api, customer: Customer) -> int:
    return api("DELETE", path(customer)).status_code


def card(api: Api, customer: Customer) -> str | None:
    method = api.get(path(customer)).json()["payment_method"]
    return method and str(method["last4"])


def test_a_card_that_is_removed_is_not_charged_any_more(world: World, api: Api, ada: Customer) -> None:
    world.buy(ada, purchase("desk"))
    assert (removed(api, ada), card(api, ada)) == (204, None)
    order_id = world.place(ada, purchase("wiki"))
    assert world.run(order_id).status is OrderStatus.AWAITING_PAYMENT_DETAILS
    assert world.rows(ChargeAttempt, order_id=order_id) == []


def test_to_remove_it_again_or_where_there_is_none_changes_nothing(world: World, api: Api, ada: Customer) -> None:
    without = world.customer(card=None)
    api.use(ada, without)
    assert [removed(api, each) for each in (ada, ada, without)] == [204, 204, 204]


def test_a_business_with_an_accepted_vat_number_is_invoiced_once_its_card_is_removed(world: World, api: Api) -> None:
    world.policy(invoice_on_vat=True)
    world.vies.register(NUMBER, status=VatCheckStatus.VALID)
    eva = world.customer(country="AT", vat_number=NUMBER)
    api.use(eva)
    kinds = [world.buy(eva, purchase("desk")).payment_kind]
    assert removed(api, eva) == 204
    kinds.append(world.buy(eva, purchase("wiki")).payment_kind)
    assert kinds == [PaymentKind.CARD, PaymentKind.INVOICE]


def test_the_same_card_can_be_given_again(api: Api, ada: Customer) -> None:
    assert removed(api, ada) == 204
    assert api("PUT", path(ada), json={"token": "pm_card_visa"}).status_code == 200
    assert card(api, ada) == "4242"


@pytest.mark.parametrize("until", [Step.VALIDATE_CART, Step.COMPUTE_PRORATION, Step.COLLECT_PAYMENT])
def test_a_card_that_an_open_order_is_about_to_charge_stays(world: World, api: Api, ada: Customer, until: Step) -> None:
    order_id = world.place(ada, purchase("desk"))
    world.run(order_id, until=until)
    refused = api("DELETE", path(ada))
    assert problem(refused) == (409, "payment-method-in-use")
    assert refused.json()["order_ids"] == [str(order_id)]
    assert card(api, ada) == "4242"
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert (removed(api, ada), card(api, ada)) == (204, None)


def test_a_trial_charges_nothing_and_keeps_no_card(world: World, api: Api, ada: Customer) -> None:
    order_id = world.place(ada, trial("chat"))
    world.park(order_id)
    assert removed(api, ada) == 204


def test_a_card_that_was_charged_may_be_removed_before_its_order_is_completed(
    world: World, api: Api, ada: Customer
) -> None:
    order_id = world.place(ada, purchase("desk"))
    world.run(order_id, until=Step.SEND_CONFIRMATION_EMAIL)
    assert removed(api, ada) == 204
    assert world.run(order_id).status is OrderStatus.COMPLETED


def test_a_card_whose_bank_asks_the_customer_stays(world: World, api: Api) -> None:
    eva = world.customer(card=ASKS_BANK)
    api.use(eva)
    order_id = world.place(eva, purchase("desk"))
    assert world.run(order_id).status is OrderStatus.AWAITING_AUTHENTICATION
    assert problem(api("DELETE", path(eva))) == (409, "payment-method-in-use")
    api.post(f"/v1/orders/{order_id}/cancel")
    world.run(order_id)
    assert removed(api, eva) == 204


def test_an_order_that_waits_for_its_customer_keeps_no_card(world: World, api: Api, ada: Customer) -> None:
    """It goes on only when the customer says so, and then asks for other payment details."""
    order_id = world.place(ada, purchase("desk"))
    world.reprice("desk", "team", Interval.MONTH, 11_00)
    world.pass_time(days=2)
    waiting = world.run(order_id)
    assert waiting.status is OrderStatus.AWAITING_CONFIRMATION
    assert removed(api, ada) == 204
    fresh = api.get(f"/v1/orders/{order_id}").json()["next"]["quote"]["id"]
    assert api.post(f"/v1/orders/{order_id}/confirm", {"quote_id": fresh}).status_code == 200
    assert world.run(order_id).status is OrderStatus.AWAITING_PAYMENT_DETAILS


def test_a_declined_card_is_told_of_as_before(world: World, api: Api) -> None:
    eva = world.customer(card=DECLINES)
    api.use(eva)
    world.run(world.place(eva, purchase("desk")))
    before = api.get(path(eva)).json()
    assert removed(api, eva) == 204
    assert api.get(path(eva)).json() == before


def test_nobody_removes_the_card_of_another_account(world: World, api: Api, ada: Customer) -> None:
    bob = world.customer()
    assert problem(api("DELETE", path(bob))) == (404, "not-found")
    assert problem(api("DELETE", f"/v1/accounts/{UUID(int=uuid4().int)}/payment-method")) == (404, "not-found")
    api.use(bob)
    assert card(api, bob) == "4242"
