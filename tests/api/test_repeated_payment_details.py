"""Payment details that were accepted, and the answer lost, may be sent again: answered, and tried once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from models.accounts import PaymentMethod, PaymentMethodStatus
from models.payments import ChargeAttempt
from models.states import OrderStatus
from tasks.ports import StoredPaymentMethod
from tasks.upstream import payment_details
from tests.api.conftest import Api, problem, purchase
from tests.api.repeated import cancel, in_their_order, reopened, statuses
from tests.support.payment import DECLINES
from tests.support.world import Customer, World


@pytest.fixture
def unpaid(world: World, api: Api) -> tuple[Customer, UUID]:
    """An order whose card was declined, and whose it is."""
    customer = world.customer(card=DECLINES)
    api.use(customer)
    order_id = UUID(api.order(customer, purchase(seats=10)))
    assert world.run(order_id).status is OrderStatus.PAYMENT_DECLINED
    return customer, order_id


def pay(api: Api, order_id: UUID, **body: str) -> httpx.Response:
    return api.post(f"/v1/orders/{order_id}/payment-method", body)


def usable(api: Api, customer: Customer) -> str | None:
    method = api.get(f"/v1/accounts/{customer.account_id}/payment-method").json()["payment_method"]
    return None if method is None else str(method["last4"])


def charged_cards(world: World, order_id: UUID) -> list[tuple[str, str]]:
    with world.begin() as session:
        query = select(PaymentMethod.last4, ChargeAttempt.status).join(
            ChargeAttempt, ChargeAttempt.payment_method_id == PaymentMethod.id
        )
        rows = session.execute(query.where(ChargeAttempt.order_id == order_id).order_by(ChargeAttempt.attempt))
        return [(last4, status.value) for last4, status in rows]


def once_its_card_is_stored(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """`do` happens after the next card was stored at the provider, and before it is used here."""
    store = payment_details.store

    def slowly(account_id: UUID, token: str) -> StoredPaymentMethod:
        monkeypatch.setattr(payment_details, "store", store)
        stored = store(account_id, token)
        do()
        return stored

    monkeypatch.setattr(payment_details, "store", slowly)


@pytest.mark.parametrize("body", [{"token": "pm_card_mastercard"}, {}])
def test_payment_details_sent_again_are_answered_and_tried_once(
    world: World, api: Api, unpaid: tuple[Customer, UUID], body: dict[str, str]
) -> None:
    customer, order_id = unpaid
    world.give_card(customer, "pm_card_mastercard")
    assert statuses(pay(api, order_id, **body), pay(api, order_id, **body)) == [(200, "open")] * 2
    assert reopened(world, order_id) == 1
    world.run(order_id)
    assert statuses(pay(api, order_id, **body)) == [(200, "completed")]
    assert world.charged(customer) == [119_00]


def test_the_same_payment_method_several_times_at_once_is_tried_once(
    world: World, api: Api, unpaid: tuple[Customer, UUID]
) -> None:
    """Those that come while the provider works on the first are told to ask again."""
    _, order_id = unpaid
    world.be_patient()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: pay(api, order_id, token="pm_card_mastercard"), range(4)))
    assert in_their_order(answers) == [(200, "open")] * 4
    assert reopened(world, order_id) == 1


def test_the_slower_of_two_requests_finds_that_the_faster_was_tried_and_declined(
    world: World, api: Api, unpaid: tuple[Customer, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, order_id = unpaid
    faster: list[httpx.Response] = []

    def another_does_it() -> None:
        faster.append(pay(api, order_id, token=DECLINES))
        world.run(order_id)

    once_its_card_is_stored(monkeypatch, another_does_it)
    slower = pay(api, order_id, token=DECLINES)
    assert statuses(*faster, slower) == [(200, "open"), (200, "payment_declined")]
    assert [attempt for attempt, _, _ in world.attempts(order_id)] == [1, 2]


def test_of_two_payment_methods_given_at_once_the_refused_one_is_not_charged(
    world: World, api: Api, unpaid: tuple[Customer, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    customer, order_id = unpaid
    granted: list[httpx.Response] = []
    once_its_card_is_stored(monkeypatch, lambda: granted.append(pay(api, order_id, token="pm_card_mastercard")))
    refused = pay(api, order_id, token="pm_card_visa")
    assert statuses(*granted) == [(200, "open")]
    assert problem(refused) == (409, "not-waiting")
    assert usable(api, customer) == "4444"
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert charged_cards(world, order_id) == [("0341", "declined"), ("4444", "succeeded")]


def test_a_payment_method_for_an_order_that_was_cancelled_meanwhile_replaces_nothing(
    world: World, api: Api, unpaid: tuple[Customer, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    customer, order_id = unpaid
    world.give_card(customer, "pm_card_mastercard")
    once_its_card_is_stored(monkeypatch, lambda: cancel(api, order_id))
    assert problem(pay(api, order_id, token="pm_card_visa")) == (409, "not-waiting")
    assert usable(api, customer) == "4444"


def test_a_payment_method_stored_before_the_process_died_is_used_by_the_same_request(
    world: World, api: Api, unpaid: tuple[Customer, UUID]
) -> None:
    customer, order_id = unpaid
    stored = payment_details.store(customer.account_id, "pm_card_visa")
    assert usable(api, customer) is None
    assert statuses(pay(api, order_id, token="pm_card_visa")) == [(200, "open")]
    of_account = world.rows(PaymentMethod, account_id=customer.account_id, status=PaymentMethodStatus.USABLE)
    assert [method.ref for method in of_account] == [stored.ref]


def test_a_payment_method_given_before_the_last_one_does_not_take_its_place(
    world: World, api: Api, unpaid: tuple[Customer, UUID]
) -> None:
    customer, order_id = unpaid
    pay(api, order_id, token=DECLINES)
    world.run(order_id)
    pay(api, order_id, token="pm_card_mastercard")
    assert statuses(pay(api, order_id, token=DECLINES)) == [(200, "open")]
    assert usable(api, customer) == "4444"
    assert world.run(order_id).status is OrderStatus.COMPLETED


def test_the_same_payment_method_once_more_is_another_try_where_the_order_waits_for_one(
    world: World, api: Api, unpaid: tuple[Customer, UUID]
) -> None:
    _, order_id = unpaid
    for _ in range(2):
        assert statuses(pay(api, order_id, token=DECLINES)) == [(200, "open")]
        assert world.run(order_id).status is OrderStatus.PAYMENT_DECLINED
    assert [attempt for attempt, _, _ in world.attempts(order_id)] == [1, 2, 3]


def test_other_payment_details_are_refused_where_none_are_waited_for(
    world: World, api: Api, unpaid: tuple[Customer, UUID]
) -> None:
    customer, order_id = unpaid
    pay(api, order_id, token="pm_card_mastercard")
    for body in ({"token": "pm_card_visa"}, {}):
        assert problem(pay(api, order_id, **body)) == (409, "not-waiting")
    assert usable(api, customer) == "4444"
