"""SQL and template commands in every place that takes text: kept and given back as the text they are, or refused; nothing else happens."""

from uuid import uuid4

import pytest
from sqlalchemy import func, select

from models.accounts import Account
from models.orders import Order
from tests.api.conftest import Api, purchase
from tests.support.world import Customer, World

HOSTILE = [
    "'; DROP TABLE orders; --",
    "' OR '1'='1",
    "1) UNION SELECT digest FROM api_keys --",
    "\\'; SELECT pg_sleep(9); --",
    "{{ 7*7 }}{{ self.__init__.__globals__ }}",
    "{% for x in range(9) %}{{ x }}{% endfor %}",
    "%(password)s ${7*7} #{7*7}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_names_are_kept_and_given_back_as_they_are(api: Api, ada: Customer, text: str) -> None:
    own = f"/v1/accounts/{ada.account_id}"
    assert api("PATCH", own, json={"name": text, "address": text}).status_code == 200
    shown = api.get(own).json()
    assert (shown["name"], shown["address"]) == (text, text)
    kept = api("PUT", f"{own}/cart", json={"lines": [purchase(product=text)]}).json()  # looked at when it is quoted
    assert [line["product"] for line in kept["lines"]] == [text]
    added = api.post(
        f"{own}/contacts", {"name": text, "email": f"{uuid4().hex}@x.example", "is_billing_contact": False}
    )
    assert (added.status_code, added.json()["name"]) == (201, text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_does_nothing_wherever_else_text_is_taken(
    world: World, api: Api, ada: Customer, text: str
) -> None:
    own, order_id = f"/v1/accounts/{ada.account_id}", api.order(ada, purchase())
    with world.begin() as session:
        accounts = session.scalar(select(func.count()).select_from(Account))
    answers = [
        api.quote(ada, purchase(product=text)),
        api.quote(ada, purchase(product="wiki", tier=text)),
        api.post("/v1/quotes", {"account_id": text, "contact_id": text, "lines": []}),
        api.post("/v1/orders", {"account_id": str(ada.account_id), "quote_id": text}, headers={"Idempotency-Key": "k"}),
        api.place(ada, str(uuid4()), key=text),
        api.post(f"/v1/orders/{order_id}/payment-method", {"token": text}),
        api.post(f"{own}/contacts", {"name": "Ada", "email": text, "is_billing_contact": True}),
        api("PATCH", own, json={"vat_number": text, "country": text}),
        api.get("/v1/orders", params={"account_id": str(ada.account_id), "status": text}),
        api.get("/v1/orders", params={"account_id": text}),
        api.get(f"/v1/orders/{text}"),
        api.get(f"/v1/orders/{order_id}/events", headers={"Last-Event-ID": text}),
        api.get("/v1/orders", headers={"Authorization": f"Bearer {text}"}),
    ]
    assert [(n, answer.text) for n, answer in enumerate(answers) if answer.status_code // 100 != 4] == []
    assert not any("49" in answer.json().get("detail", "") for answer in answers if "7*7" in text)
    with world.begin() as session:
        assert session.scalar(select(func.count()).select_from(Account)) == accounts
        assert session.scalar(select(func.count()).select_from(Order)) == 1
