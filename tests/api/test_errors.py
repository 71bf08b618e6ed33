"""Every error is a problem, says what is wrong and where, and stays short."""

import json
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from tasks import placement, wiring
from tests.api.conftest import Api, problem, purchase
from tests.support.world import Customer, World


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", (404, "not-found")),
        ("GET", "/v1/nothing", (404, "not-found")),
        ("GET", "/docs", (404, "not-found")),
        ("DELETE", "/v1/orders", (405, "method-not-allowed")),
        ("GET", "/v1/orders/", (404, "not-found")),
        ("GET", "/v1/orders/1001", (422, "invalid-request")),
        ("GET", "/v1/orders?limit=0", (422, "invalid-request")),
        ("GET", "/v1/orders?before=99999999999999999999", (422, "invalid-request")),
        ("GET", "/v1/orders?account_id=' or 1=1 --", (422, "invalid-request")),
    ],
)
def test_every_error_is_a_problem(api: Api, ada: Customer, method: str, path: str, expected: tuple[int, str]) -> None:
    assert problem(api(method, path)) == expected


def test_a_misspelled_query_parameter_is_named_with_those_there_are(api: Api, ada: Customer) -> None:
    answer = api.get("/v1/orders", params={"acount_id": str(ada.account_id), "limit": 1, "Status": "open"})
    assert problem(answer) == (422, "invalid-request")
    detail = "is not a parameter here; there are account_id, before, final, limit, status"
    assert answer.json()["errors"] == [
        {"parameter": "Status", "detail": detail},
        {"parameter": "acount_id", "detail": detail},
    ]


def test_an_unexpected_error_tells_nothing(api: Api, ada: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("password=hunter2 of ada@customer.example")

    monkeypatch.setattr(placement, "quote", fail)
    with capture_logs() as logs:
        answer = api.quote(ada, purchase())
    assert problem(answer) == (500, "internal-error")
    assert "hunter2" not in answer.text + json.dumps(logs)
    failed = next(entry for entry in logs if entry["event"] == "request failed")
    assert (failed["error"], failed["request_id"]) == ("RuntimeError", answer.headers["x-request-id"])
    assert failed["at"][-1].startswith("test_errors.py:")
    assert "said" not in failed


def test_a_wrong_key_of_the_provider_is_named_in_the_log_and_not_in_the_answer(
    world: World, api: Api, ada: Customer
) -> None:
    wiring.plug_in(replace(world.wiring, payments=world.stripe.payments(api_key="sk_test_wrong")))
    with capture_logs() as logs:
        answer = api("PUT", f"/v1/accounts/{ada.account_id}/payment-method", json={"token": "pm_card_visa"})
    assert problem(answer) == (500, "internal-error")
    assert "PRORATA" not in answer.text
    (failed,) = [entry for entry in logs if entry["event"] == "request failed"]
    assert failed["said"].startswith("Stripe refuses our API key, see PRORATA_STRIPE_API_KEY: ")


def test_of_very_many_wrong_lines_it_is_said_once_that_they_are_too_many(api: Api, ada: Customer) -> None:
    ids = {"account_id": str(ada.account_id), "contact_id": str(ada.contact_id)}
    for method, path, other in (("POST", "/v1/quotes", ids), ("PUT", f"/v1/accounts/{ada.account_id}/cart", {})):
        answer = api(method, path, json={"lines": [{}] * 7_000, **other})
        assert problem(answer) == (422, "invalid-request")
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/lines"]


def test_a_short_request_has_no_long_answer(api: Api, ada: Customer) -> None:
    twice = ",".join(f'"k{number}":1,"k{number}":2' for number in range(60))
    wide = '{"' + "n" * 30_000 + '": {' + twice + "}}"
    deep = '{"n":' * 300 + "{" + twice + "}" + "}" * 300
    for content, start in ((wide, "/" + "n" * 99 + "…/k"), (deep, "/n" * 10 + "/…")):
        answer = api.post("/v1/quotes", content=content, headers={"Content-Type": "application/json"})
        assert problem(answer) == (422, "invalid-request")
        assert {error["pointer"].rstrip("0123456789") for error in answer.json()["errors"]} == {start}
        assert len(answer.content) < 10_000


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (1, "The request is not as it should be; see `errors`."),
        (50, "The request is not as it should be; see `errors`."),
        (51, "The request is not as it should be in more than 50 places; see `errors` for the first."),
    ],
)
def test_of_many_errors_the_first_are_told_and_that_there_are_more(
    api: Api, ada: Customer, wrong: int, told: str
) -> None:
    names = [f"n{number:02}" for number in range(wrong)]
    path = f"/v1/accounts/{ada.account_id}"
    for answer in (
        api("PATCH", path, json=dict.fromkeys(names, 1)),
        api("PATCH", path, content="{" + ",".join(f'"{name}":1,"{name}":1' for name in names) + "}"),
    ):
        assert problem(answer) == (422, "invalid-request")
        assert answer.json()["detail"] == told
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}" for name in names[:50]]


def test_how_many_lines_an_order_may_have_is_said_in_the_words_of_the_rule(api: Api, ada: Customer) -> None:
    lines = [purchase(product=f"p{number}") for number in range(100)]
    assert problem(api.quote(ada, *lines)) == (422, "too-many-lines")
    assert problem(api.quote(ada, *lines, purchase())) == (422, "invalid-request")
