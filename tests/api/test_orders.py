"""Orders over HTTP: placed once per key, told truthfully, brought on by their customers."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event

from api_stub.access import order_of
from api_stub.views import order_view
from models.orders import Order
from models.payments import ChargeAttempt
from models.states import OrderStatus, Step
from tasks.sweep import sweep
from tests.api.conftest import Api, Published, change, problem, purchase, trial
from tests.support import world as worlds
from tests.support.many_orders import Plans, copy_completed_orders
from tests.support.messages import eventually
from tests.support.world import MONTH, Customer, World


def test_a_placed_order_is_in_the_outbox_and_the_relay_is_nudged(
    world: World, api: Api, ada: Customer, published: Published
) -> None:
    quote = api.quote(ada, purchase()).json()
    answer = api.place(ada, quote["id"])
    body = answer.json()
    assert (answer.status_code, body["status"], body["quote_id"]) == (201, "open", quote["id"])
    assert answer.headers["location"] == body["links"]["self"] == f"/v1/orders/{body['id']}"
    assert [(str(order_id), step) for order_id, step in world.outbox()] == [(body["id"], Step.VALIDATE_CART)]
    assert eventually(lambda: published.times >= 1)


def test_the_same_idempotency_key_gives_the_same_answer_and_one_order(world: World, api: Api, ada: Customer) -> None:
    quote = api.quote(ada, purchase()).json()["id"]
    first, second = api.place(ada, quote, "once"), api.place(ada, quote, "once")
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert second.json() == first.json()
    assert len(world.rows(Order)) == 1


def test_the_answer_stays_the_same_after_the_order_has_moved_on(world: World, api: Api, ada: Customer) -> None:
    quote = api.quote(ada, purchase()).json()["id"]
    first = api.place(ada, quote, "once").json()
    world.run(world.rows(Order)[0].id)
    assert api.place(ada, quote, "once").json() == first


def test_the_same_idempotency_key_twice_at_once_gives_one_order(world: World, api: Api, ada: Customer) -> None:
    quote = api.quote(ada, purchase()).json()["id"]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: api.place(ada, quote, "at once"), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.text for answer in answers}) == 1
    assert len(world.rows(Order)) == 1
    assert len(world.outbox()) == 1


def test_an_idempotency_key_with_another_body_is_a_conflict(world: World, api: Api, ada: Customer) -> None:
    first, other = (api.quote(ada, purchase(product)).json()["id"] for product in ("desk", "chat"))
    placed = api.place(ada, first, "once").json()
    answer = api.place(ada, other, "once")
    assert problem(answer) == (409, "idempotency-key-reused")
    assert answer.json()["order_id"] == placed["id"]
    assert len(world.rows(Order)) == 1


def test_two_upstreams_may_use_the_same_idempotency_key(world: World, api: Api, ada: Customer) -> None:
    desk, chat = (api.quote(ada, purchase(product)).json()["id"] for product in ("desk", "chat"))
    assert api.place(ada, desk, "mine").status_code == 201
    api.use(ada)
    assert api.place(ada, chat, "mine").status_code == 201
    assert len(world.rows(Order)) == 2


def test_an_order_without_an_idempotency_key_is_refused(world: World, api: Api, ada: Customer) -> None:
    quote = api.quote(ada, purchase()).json()["id"]
    answer = api.post("/v1/orders", {"account_id": str(ada.account_id), "quote_id": quote})
    assert problem(answer) == (422, "invalid-request")
    why = "is missing: send a value of your own for each order, such as a UUID, and the same one when you repeat the request, so that it places one order"
    assert answer.json()["errors"] == [{"header": "Idempotency-Key", "detail": why}]
    assert world.rows(Order) == []


def test_blanks_around_an_idempotency_key_are_no_part_of_it(world: World, api: Api, ada: Customer) -> None:
    quote = api.quote(ada, purchase()).json()["id"]
    placed = api.place(ada, quote, "one of mine")
    for key in ("one of mine  ", "one of mine\t", " one of mine"):
        again = api.place(ada, quote, key)
        assert (again.status_code, again.json()) == (200, placed.json())
    assert [order.idempotency_key for order in world.rows(Order)] == ["one of mine"]
    answer = api.place(ada, quote, "  ")
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"] == [{"header": "Idempotency-Key", "detail": "must not be empty"}]


def test_a_quote_is_good_for_one_order(api: Api, ada: Customer) -> None:
    quote = api.quote(ada, purchase()).json()["id"]
    placed = api.place(ada, quote).json()["id"]
    again = api.place(ada, quote)
    assert (problem(again), again.json()["order_id"]) == ((409, "quote-used"), placed)


def test_a_repetition_under_another_api_key_learns_which_order_there_is_even_when_the_quote_has_expired(
    world: World, api: Api, ada: Customer
) -> None:
    quote = api.quote(ada, purchase()).json()["id"]
    placed = api.place(ada, quote, "once").json()["id"]
    api.use(ada)
    world.time += timedelta(hours=1)
    again = api.place(ada, quote, "once")
    assert (problem(again), again.json()["order_id"]) == ((409, "quote-used"), placed)


def test_an_expired_quote_cannot_be_ordered(world: World, api: Api, ada: Customer) -> None:
    quote = api.quote(ada, purchase()).json()["id"]
    world.pass_time(minutes=30)
    assert problem(api.place(ada, quote)) == (409, "quote-expired")


def test_a_product_has_one_open_order_at_a_time(api: Api, ada: Customer) -> None:
    first = api.order(ada, purchase())
    answer = api.place(ada, api.quote(ada, purchase()).json()["id"])
    assert problem(answer) == (409, "open-order")
    assert (answer.json()["products"], answer.json()["order_ids"]) == (["desk"], [first])


def test_a_completed_order_shows_lines_amounts_payment_and_timeline(world: World, api: Api, ada: Customer) -> None:
    order_id = api.order(ada, purchase(seats=10), trial("chat"))
    world.run(world.rows(Order)[0].id)
    order = api.get(f"/v1/orders/{order_id}").json()
    assert (order["status"], order["final"], order["reason"], order["next"]) == ("completed", True, None, None)
    assert [(line["action"], line["total"]["minor"]) for line in order["lines"]] == [("purchase", 119_00), ("trial", 0)]
    assert (order["totals"]["due"]["minor"], order["payment"]["charged"]["text"]) == (119_00, "€119.00")
    assert [(charge["attempt"], charge["status"]) for charge in order["payment"]["charges"]] == [(1, "succeeded")]
    kinds = [event["kind"] for event in order["timeline"]]
    assert kinds == world.timeline(world.rows(Order)[0].id)
    assert (kinds[0], kinds[-1]) == ("order.placed", "order.completed")


def test_an_order_that_ends_while_it_is_read_is_shown_as_of_one_moment(
    world: World, api: Api, ada: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = api.order(ada, purchase(seats=10))
    read = order_of

    def ends_meanwhile(*asked: Any) -> Order:
        world.run(UUID(order_id))
        return read(*asked)

    with monkeypatch.context() as patched:
        patched.setattr(order_view, "order_of", ends_meanwhile)
        meanwhile = api.get(f"/v1/orders/{order_id}").json()
    assert (meanwhile["status"], [event["kind"] for event in meanwhile["timeline"]]) == ("open", ["order.placed"])
    assert api.get(f"/v1/orders/{order_id}").json()["status"] == "completed"


def test_a_timeline_tells_no_addresses_and_no_errors(world: World, api: Api, ada: Customer) -> None:
    quote = api.quote(ada, purchase()).json()["id"]
    order_id = api.place(ada, quote).json()["id"]
    world.change_account(ada, kind="corporate")
    world.run(world.rows(Order)[0].id)
    order = api.get(f"/v1/orders/{order_id}").json()
    assert (order["status"], order["reason"]["code"]) == ("rejected", "corporate-account")
    assert "https://corporate.prorata.example/billing" in order["reason"]["text"]
    assert ada.email not in str(order["timeline"])


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
    assert world.run(world.rows(Order)[0].id).status is OrderStatus.CANCELLED
    assert world.charged(ada) == []


def test_orders_are_listed_newest_first_page_by_page(world: World, api: Api, ada: Customer) -> None:
    bob = world.customer()
    api.use(ada, bob)
    placed = [api.order(ada, purchase(product)) for product in ("desk", "chat", "wiki")]
    of_bob = api.order(bob, purchase())
    mine = {"account_id": str(ada.account_id), "limit": 2}
    first = api.get("/v1/orders", params=mine).json()
    assert [order["id"] for order in first["orders"]] == [placed[2], placed[1]]
    second = api.get("/v1/orders", params=mine | {"before": first["next_before"]}).json()
    assert ([order["id"] for order in second["orders"]], second["next_before"]) == ([placed[0]], None)
    assert [order["id"] for order in api.get("/v1/orders").json()["orders"]] == [of_bob, *reversed(placed)]


def test_orders_are_listed_by_status(world: World, api: Api, ada: Customer) -> None:
    done, still_open = api.order(ada, purchase()), api.order(ada, purchase("chat"))
    world.run(next(order.id for order in world.rows(Order) if str(order.id) == done))
    listed = {
        status: [order["id"] for order in api.get("/v1/orders", params={"status": status}).json()["orders"]]
        for status in ("completed", "open", "rejected")
    }
    assert listed == {"completed": [done], "open": [still_open], "rejected": []}


def test_orders_of_several_statuses_are_listed_by_one_request(world: World, api: Api, ada: Customer) -> None:
    done, still_open, given_up = (api.order(ada, purchase(product)) for product in ("desk", "chat", "wiki"))
    world.run(UUID(done))
    api.post(f"/v1/orders/{given_up}/cancel")
    world.run(UUID(given_up))

    def listed(query: str) -> list[str]:
        return [order["id"] for order in api.get(f"/v1/orders?{query}").json()["orders"]]

    assert listed("status=open&status=payment_declined&status=needs_attention") == [still_open]
    assert listed("status=completed&status=open") == [still_open, done]
    assert listed("status=open&status=open") == [still_open]
    wrong = api.get("/v1/orders?status=open&status=opn")
    assert (problem(wrong), [each["parameter"] for each in wrong.json()["errors"]]) == (
        (422, "invalid-request"), ["status"],
    )  # fmt: skip


@pytest.mark.parametrize(
    "path", ["/v1/orders", "/v1/orders?status=open", "/v1/orders?status=completed&before=5000", "/v1/accounts"]
)
def test_a_list_is_planned_for_the_key_and_statuses_asked_for_however_often_it_is(
    world: World, api: Api, ada: Customer, path: str
) -> None:
    """One plan for all keys and statuses cannot use an index of orders that have not ended, for example."""
    plans: list[tuple[int, int]] = []

    def look(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "LIMIT" in statement:
            asked = "select sum(generic_plans), sum(custom_plans) from pg_prepared_statements where statement ~ 'LIMIT'"
            generic, custom = connection.connection.execute(asked, prepare=False).fetchone()
            plans.append((int(generic), int(custom)))

    api.order(ada, purchase())
    engine = world.transactions._engine
    event.listen(engine, "connect", lambda connection, _: setattr(connection, "prepare_threshold", 0))
    engine.dispose()
    event.listen(engine, "after_cursor_execute", look)
    for _ in range(8):
        assert api.get(path).status_code == 200
    assert plans[-1] == (0, 8)


@pytest.mark.parametrize(
    ("status", "index"),
    [
        ("open", "ix_orders_not_ended"),
        ("needs_attention", "ix_orders_not_ended"),
        ("rejected", "ix_orders_ended_without"),
        ("refunded", "ix_orders_ended_without"),
    ],
)
def test_orders_of_a_status_that_few_have_are_found_by_an_index_of_those(
    world: World, api: Api, ada: Customer, status: str, index: str
) -> None:
    """Their key has so many accounts that it does not narrow the list."""
    api.order(ada, purchase())
    copy_completed_orders(world, ada)
    with Plans(world, "orders") as plans:
        assert api.get(f"/v1/orders?status={status}").status_code == 200
    [plan] = plans.noted
    assert index in plan, plan


def test_a_change_shows_what_it_starts_from(world: World, api: Api, ada: Customer) -> None:
    world.buy(ada, worlds.purchase(seats=10))
    world.time += timedelta(days=15)
    order_id = api.order(ada, change(seats=12))
    (line,) = api.get(f"/v1/orders/{order_id}").json()["lines"]
    assert (line["before"]["seats"], line["before"]["charged"]["minor"], line["credit"]["minor"]) == (10, 100_00, 50_00)
