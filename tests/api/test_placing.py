"""Orders over HTTP are placed once: for each Idempotency-Key, each quote, and each product at a time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from models.orders import Order
from models.states import Step
from tests.api.conftest import Api, Published, problem, purchase
from tests.support.messages import eventually
from tests.support.world import Customer, World


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
