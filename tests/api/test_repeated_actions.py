"""An action on an order that was accepted, and whose answer was lost, may be asked for again: answered, and done once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from models.accounts import PaymentMethod, PaymentMethodStatus
from models.payments import ChargeAttempt, RefundAttempt
from models.states import OrderStatus, Step
from models.subscriptions import Trial
from tasks.operating import support_refund
from tasks.ports import StoredPaymentMethod
from tasks.upstream import payment_details
from tests.api.conftest import Api, problem, purchase, trial
from tests.support import world as worlds
from tests.support.world import MONTH, Customer, World

Ask = Callable[[], httpx.Response]
DECLINED = "pm_card_chargeCustomerFail"


def statuses(*answers: httpx.Response) -> list[tuple[int, str]]:
    return [(answer.status_code, answer.json().get("status")) for answer in answers]


def in_their_order(answers: list[httpx.Response]) -> list[tuple[int, str]]:
    return sorted(statuses(*answers))


def reopened(world: World, order_id: UUID) -> int:
    return world.timeline(order_id).count("order.reopened")


@pytest.fixture
def asks(world: World, api: Api, ada: Customer) -> UUID:
    """An order that waits for a fresh quote to be accepted."""
    order_id = UUID(api.order(ada, purchase(seats=10)))
    ask_again(world, order_id, 11_00)
    return order_id


def ask_again(world: World, order_id: UUID, price: int) -> None:
    world.reprice("desk", "team", MONTH, price)
    assert world.run(order_id).status is OrderStatus.AWAITING_CONFIRMATION


def proposed(world: World, order_id: UUID) -> str:
    return str(world.order(order_id).proposed_quote_id)


def confirm(api: Api, order_id: UUID, quote_id: str) -> httpx.Response:
    return api.post(f"/v1/orders/{order_id}/confirm", {"quote_id": quote_id})


@pytest.fixture
def unpaid(world: World, api: Api) -> tuple[Customer, UUID]:
    """An order whose card was declined, and whose it is."""
    customer = world.customer(card=DECLINED)
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


# The fresh quote


def test_a_confirmation_sent_again_is_answered_and_done_once(world: World, api: Api, ada: Customer, asks: UUID) -> None:
    fresh = proposed(world, asks)
    assert statuses(confirm(api, asks, fresh), confirm(api, asks, fresh)) == [(200, "open")] * 2
    assert (world.order(asks).revision, reopened(world, asks)) == (2, 1)
    world.run(asks)
    world.pass_time(days=1)  # the quote has expired by then
    assert statuses(confirm(api, asks, fresh)) == [(200, "completed")]
    assert world.charged(ada) == [130_90]


def test_the_same_confirmation_several_times_at_once_is_one(world: World, api: Api, asks: UUID) -> None:
    fresh = proposed(world, asks)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: confirm(api, asks, fresh), range(4)))
    assert in_their_order(answers) == [(200, "open")] * 4
    assert (world.order(asks).revision, reopened(world, asks)) == (2, 1)


def test_an_old_confirmation_never_accepts_the_amount_that_is_asked_about_now(
    world: World, api: Api, ada: Customer, asks: UUID
) -> None:
    old = proposed(world, asks)
    confirm(api, asks, old)
    ask_again(world, asks, 12_00)
    answer = confirm(api, asks, old)
    assert statuses(answer) == [(200, "awaiting_confirmation")]
    assert answer.json()["next"]["quote"]["totals"]["due"]["minor"] == 142_80
    assert (world.order(asks).due_minor, world.charged(ada)) == (130_90, [])


def test_a_confirmation_before_the_last_one_is_answered_too_and_changes_nothing(
    world: World, api: Api, ada: Customer, asks: UUID
) -> None:
    old = proposed(world, asks)
    confirm(api, asks, old)
    ask_again(world, asks, 12_00)
    confirm(api, asks, proposed(world, asks))
    assert statuses(confirm(api, asks, old)) == [(200, "open")]
    world.run(asks)
    assert world.charged(ada) == [142_80]


def test_another_confirmation_is_refused_where_none_is_waited_for(
    world: World, api: Api, ada: Customer, asks: UUID
) -> None:
    placed_on = str(world.order(asks).quote_id)
    confirm(api, asks, proposed(world, asks))
    never_accepted = api.quote(ada, purchase(seats=10)).json()["id"]
    for quote_id in (placed_on, never_accepted):
        assert problem(confirm(api, asks, quote_id)) == (409, "not-waiting")


def test_what_one_order_accepted_is_nothing_to_another(world: World, api: Api, ada: Customer, asks: UUID) -> None:
    fresh = proposed(world, asks)
    confirm(api, asks, fresh)
    other = UUID(api.order(ada, purchase("chat")))
    assert problem(confirm(api, other, fresh)) == (409, "not-waiting")


def test_the_timeline_says_which_quote_was_accepted(world: World, api: Api, asks: UUID) -> None:
    fresh = proposed(world, asks)
    timeline = confirm(api, asks, fresh).json()["timeline"]
    assert [(each["kind"], each["facts"]["quote_id"]) for each in timeline[-1:]] == [("order.reopened", fresh)]


# The payment method


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
        faster.append(pay(api, order_id, token=DECLINED))
        world.run(order_id)

    once_its_card_is_stored(monkeypatch, another_does_it)
    slower = pay(api, order_id, token=DECLINED)
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
    pay(api, order_id, token=DECLINED)
    world.run(order_id)
    pay(api, order_id, token="pm_card_mastercard")
    assert statuses(pay(api, order_id, token=DECLINED)) == [(200, "open")]
    assert usable(api, customer) == "4444"
    assert world.run(order_id).status is OrderStatus.COMPLETED


def test_the_same_payment_method_once_more_is_another_try_where_the_order_waits_for_one(
    world: World, api: Api, unpaid: tuple[Customer, UUID]
) -> None:
    _, order_id = unpaid
    for _ in range(2):
        assert statuses(pay(api, order_id, token=DECLINED)) == [(200, "open")]
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


# The cancellation


def cancel(api: Api, order_id: UUID) -> httpx.Response:
    return api.post(f"/v1/orders/{order_id}/cancel")


@pytest.mark.parametrize(
    ("until", "ends"), [(Step.COLLECT_PAYMENT, "cancelled"), (Step.ACTIVATE_SUBSCRIPTION, "refunded")]
)
def test_a_cancellation_sent_again_is_answered_however_the_order_ended(
    world: World, api: Api, ada: Customer, until: Step, ends: str
) -> None:
    order_id = UUID(api.order(ada, purchase()))
    world.run(order_id, until=until)
    assert statuses(cancel(api, order_id), cancel(api, order_id)) == [(200, "open")] * 2
    world.run(order_id)
    timeline = world.timeline(order_id)
    assert statuses(cancel(api, order_id)) == [(200, ends)]
    assert world.timeline(order_id) == timeline
    assert timeline.count("order.cancel_requested") == 1


def test_the_same_cancellation_several_times_at_once_is_one(world: World, api: Api, ada: Customer) -> None:
    order_id = UUID(api.order(ada, purchase()))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: cancel(api, order_id), range(4)))
    assert in_their_order(answers) == [(200, "open")] * 4
    assert world.timeline(order_id).count("order.cancel_requested") == 1


def test_a_cancellation_whose_refund_came_to_a_stop_is_answered(world: World, api: Api, ada: Customer) -> None:
    order_id = UUID(api.order(ada, purchase()))
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    cancel(api, order_id)
    world.run(order_id, until=Step.REFUND_PAYMENT)
    world.park(order_id)
    assert statuses(cancel(api, order_id)) == [(200, "needs_attention")]
    assert world.rows(RefundAttempt) == []


def test_a_cancellation_of_an_order_that_goes_back_by_itself_may_be_sent_again(
    world: World, api: Api, ada: Customer
) -> None:
    order_id = UUID(api.order(ada, trial("chat"), purchase()))
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    with world.begin() as session:
        session.add(Trial(account_id=ada.account_id, product_code="chat", order_id=order_id, started_at=world.time))
    world.run(order_id, until=Step.REFUND_PAYMENT)
    assert statuses(cancel(api, order_id)) == [(200, "open")]
    ended = world.run(order_id)
    assert (ended.status, ended.reason, ended.cancel_requested_at) == (OrderStatus.REFUNDED, "trial-used", None)
    assert statuses(cancel(api, order_id)) == [(200, "refunded")]


def test_what_support_refunded_cannot_be_cancelled_by_who_never_asked_for_that(
    world: World, api: Api, ada: Customer
) -> None:
    order_id = world.buy(ada, worlds.purchase()).id
    with world.begin() as session:
        support_refund.refund(session, order_id, by="ops", why="asked by phone", now=world.time)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert problem(cancel(api, order_id)) == (409, "too-late")
