"""API keys: who gets in, what for, and to whose things."""

from datetime import datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from models.api_keys import ApiKey
from models.orders import Order
from tasks.upstream.api_keys import Scope
from tests.api.conftest import Api, problem, purchase
from tests.support import world as worlds
from tests.support.world import Customer, World
from worker.webhook_endpoint import WEBHOOK_PATH

NOBODY = str(uuid4())

LISTS = [("GET", "/v1/accounts", "accounts:read")]
"""of what the key may see: about no account in particular"""
ABOUT_ACCOUNTS = [
    ("GET", "/v1/catalogue?account_id={account}", "orders:read"),
    ("POST", "/v1/quotes", "orders:write"),
    ("GET", "/v1/quotes/{quote}", "orders:read"),
    ("POST", "/v1/orders", "orders:write"),
    ("GET", "/v1/orders/{order}", "orders:read"),
    ("GET", "/v1/orders?account_id={account}", "orders:read"),
    ("GET", "/v1/orders/{order}/events", "orders:read"),
    ("POST", "/v1/orders/{order}/payment-method", "orders:write"),
    ("POST", "/v1/orders/{order}/confirm", "orders:write"),
    ("POST", "/v1/orders/{order}/cancel", "orders:write"),
    ("GET", "/v1/quotes/{quote}/explanation", "orders:read"),
    ("GET", "/v1/orders/{order}/explanation", "orders:read"),
    ("GET", "/v1/orders/{order}/invoices", "orders:read"),
    ("GET", "/v1/orders/{order}/invoice.pdf", "orders:read"),
    ("GET", "/v1/orders/{order}/invoice.html", "orders:read"),
    ("GET", "/v1/accounts/{account}", "accounts:read"),
    ("PATCH", "/v1/accounts/{account}", "accounts:write"),
    ("GET", "/v1/accounts/{account}/contacts", "accounts:read"),
    ("POST", "/v1/accounts/{account}/contacts", "accounts:write"),
    ("GET", "/v1/accounts/{account}/contacts/{contact}", "accounts:read"),
    ("PATCH", "/v1/accounts/{account}/contacts/{contact}", "accounts:write"),
    ("GET", "/v1/accounts/{account}/payment-method", "accounts:read"),
    ("PUT", "/v1/accounts/{account}/payment-method", "accounts:write"),
    ("DELETE", "/v1/accounts/{account}/payment-method", "accounts:write"),
    ("GET", "/v1/accounts/{account}/balance", "accounts:read"),
    ("GET", "/v1/accounts/{account}/invoices", "orders:read"),
    ("GET", "/v1/accounts/{account}/cart", "orders:read"),
    ("PUT", "/v1/accounts/{account}/cart", "orders:write"),
    ("DELETE", "/v1/accounts/{account}/cart", "orders:write"),
    ("GET", "/v1/accounts/{account}/subscriptions", "accounts:read"),
    ("GET", "/v1/subscriptions/{subscription}", "accounts:read"),
    ("GET", "/v1/subscriptions/{subscription}/seats", "accounts:read"),
    ("POST", "/v1/subscriptions/{subscription}/seats/assign", "seats:write"),
    ("POST", "/v1/subscriptions/{subscription}/seats/unassign", "seats:write"),
    ("POST", "/v1/subscriptions/{subscription}/seats/bulk", "seats:write"),
]
ROUTES = LISTS + ABOUT_ACCOUNTS


def body(method: str, path: str, names: dict[str, str]) -> dict[str, object]:
    """What the route would take from whoever owns these things."""
    wanted: dict[str, object] = {
        "/v1/quotes": {"account_id": names["account"], "contact_id": names["contact"], "lines": [purchase("chat")]},
        "/v1/orders": {"account_id": names["account"], "quote_id": names["quote"]},
        "/payment-method": {"token": "pm_card_visa"},
        "/confirm": {"quote_id": names["quote"]},
        "{account}": {"name": "Mine now"},
        "/contacts": {"name": "Eve", "email": "eve@evil.example", "is_billing_contact": True},
        "{contact}": {"is_billing_contact": False},
        "/cart": {"lines": []},
        "assign": {"email": "eve@evil.example"},
    }
    if path.endswith("/bulk"):
        return {"content": "email,action\neve@evil.example,assign\n", "headers": {"Content-Type": "text/csv"}}
    options: dict[str, object] = {"headers": {"Idempotency-Key": "k"}}
    found = next((value for ending, value in wanted.items() if path.endswith(ending)), None)
    return options if method in ("GET", "DELETE") or found is None else options | {"json": found}


@pytest.fixture
def names(world: World, api: Api, ada: Customer) -> dict[str, str]:
    """One of everything, all Ada's."""
    world.buy(ada, worlds.purchase(seats=3))
    return {
        "account": str(ada.account_id),
        "contact": str(ada.contact_id),
        "quote": api.quote(ada, purchase("wiki")).json()["id"],
        "order": api.order(ada, purchase("wiki")),
        "subscription": str(world.subscription(ada, "desk").id),
    }


def test_every_route_is_in_this_files_list(api: Api) -> None:
    listed = {(method, path.partition("?")[0]) for method, path, _ in ROUTES}
    described = {
        (method.upper(), path.replace("_id}", "}"))
        for path, methods in api.client.get("/openapi.json").json()["paths"].items()
        for method in methods
        if path.startswith("/v1/") and path != WEBHOOK_PATH
    }
    assert described == listed


def test_every_operation_says_which_scope_it_needs(api: Api) -> None:
    paths = api.client.get("/openapi.json").json()["paths"]
    for method, path, scope in ROUTES:
        operation = paths[path.partition("?")[0].replace("}", "_id}")][method.lower()]
        assert operation["security"] == [{"apiKey": [scope]}], f"{method} {path}"
        assert operation["description"].endswith(f"Needs a key with the scope `{scope}`."), f"{method} {path}"


def test_what_takes_no_key_names_no_scope(api: Api) -> None:
    paths = api.client.get("/openapi.json").json()["paths"]
    assert [path for path, methods in paths.items() for each in methods.values() if "security" not in each] == [
        WEBHOOK_PATH, "/healthz", "/readyz", "/metrics",
    ]  # fmt: skip
    assert "Needs a key" not in paths[WEBHOOK_PATH]["post"]["description"]


def test_a_key_given_twice_is_no_key(api: Api, ada: Customer) -> None:
    """Which of them counts, a proxy and we might see differently."""
    key = ("Authorization", f"Bearer {api.key}")
    answer = api.client.get("/v1/orders", headers=httpx.Headers([key, ("Authorization", "Bearer prk_other")]))
    assert problem(answer) == (401, "unauthorized")
    assert api.client.get("/v1/orders", headers=httpx.Headers([key])).status_code == 200


def test_the_log_names_the_key_by_its_id(api: Api, world: World, ada: Customer) -> None:
    with capture_logs() as logs:
        api.get("/v1/orders")
        api.order(ada, purchase())
        api.get("/v1/orders", headers={"Authorization": "Bearer prk_unknown"})
        api.get("/healthz")
    [key] = world.rows(ApiKey)
    told = [entry.get("key_id") for entry in logs if entry["event"] == "request"]
    assert told == [str(key.id)] * 3 + [None, None]


def test_when_a_key_was_last_used_is_noted_once_an_hour(api: Api, world: World, ada: Customer) -> None:
    def last_used() -> datetime | None:
        [key] = world.rows(ApiKey)
        at: datetime | None = key.last_used_at
        return at

    def passes(time: str) -> None:
        with world.begin() as session:
            session.execute(text("update api_keys set last_used_at = last_used_at - cast(:t as interval)"), {"t": time})

    assert last_used() is None
    api.get("/v1/orders")
    passes("59 minutes")
    before = last_used()
    assert before is not None
    api.order(ada, purchase())
    assert last_used() == before
    passes("2 minutes")
    api.order(ada, purchase("wiki"))
    assert (last_used() or before) > before + timedelta(minutes=58)


def test_another_accounts_quote_cannot_be_ordered(api: Api, world: World, ada: Customer) -> None:
    theirs = world.quote(world.customer(), worlds.purchase("wiki"))
    assert problem(api.place(ada, str(theirs.id))) == (404, "unknown-quote")
    assert world.rows(Order) == []


def test_orders_of_other_accounts_are_not_listed(api: Api, world: World, ada: Customer) -> None:
    world.place(world.customer(), worlds.purchase("wiki"))
    mine = world.place(ada, worlds.purchase("wiki"))
    assert [order["id"] for order in api.get("/v1/orders").json()["orders"]] == [str(mine)]


def test_another_accounts_things_are_not_there(api: Api, world: World, names: dict[str, str]) -> None:
    api.use(world.customer(card=None))
    unknown = dict.fromkeys(names, NOBODY)
    for method, path, _ in ABOUT_ACCOUNTS:
        answer = api(method, path.format_map(names), **body(method, path, names))
        assert problem(answer) == (404, "not-found"), f"{method} {path}"
        nowhere = api(method, path.format_map(unknown), **body(method, path, unknown))
        assert (nowhere.status_code, nowhere.json()) == (404, answer.json()), f"{method} {path}"


def test_nothing_is_to_be_had_without_a_key(api: Api, names: dict[str, str]) -> None:
    api.key = ""
    for method, path, _ in ROUTES:
        answer = api(method, path.format_map(names), **body(method, path, names))
        assert problem(answer) == (401, "unauthorized"), f"{method} {path}"


def test_no_route_takes_a_query_parameter_it_does_not_know(api: Api, names: dict[str, str]) -> None:
    for method, path, _ in ROUTES:
        place, _, query = path.format_map(names).partition("?")
        answer = api(method, f"{place}?{query}&by=eve", **body(method, path, names))
        assert problem(answer) == (422, "invalid-request"), f"{method} {path}"
        assert [error["parameter"] for error in answer.json()["errors"]] == ["by"]


def test_what_a_route_knows_is_not_told_without_a_key(api: Api, names: dict[str, str]) -> None:
    api.key = "prk_unknown"
    for method, path, _ in ROUTES:
        answer = api(method, path.format_map(names).partition("?")[0] + "?by=eve", **body(method, path, names))
        assert problem(answer) == (401, "unauthorized"), f"{method} {path}"


def test_nothing_is_to_be_had_without_its_scope(api: Api, ada: Customer, names: dict[str, str]) -> None:
    for method, path, scope in ROUTES:
        api.use(ada, scopes=[other for other in Scope if other != scope])
        answer = api(method, path.format_map(names), **body(method, path, names))
        assert problem(answer) == (403, "missing-scope"), f"{method} {path}"
        assert answer.json()["scope"] == scope


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer prk_unknown",
        "Basic YTpi",
        "Token {key}",
        "Bearer {key}x",
        "bearer prk_\x00",
    ],
)
def test_what_is_no_key_is_refused(api: Api, ada: Customer, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization.format(key=api.key)}
    answer = api.client.get("/v1/orders", headers=headers)
    assert problem(answer) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/v1/orders", "/v1/quotes"])
def test_a_request_that_makes_no_sense_is_explained_to_callers_only(
    world: World, api: Api, ada: Customer, path: str
) -> None:
    assert problem(api.post(path, {})) == (422, "invalid-request")
    api.key = api.key_for(ada, scopes=["orders:read"])
    assert problem(api.post(path, {})) == (403, "missing-scope")
    api.key = "prk_unknown"
    assert problem(api.post(path, {})) == (401, "unauthorized")
