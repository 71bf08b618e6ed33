"""Answers carry safe headers, and logs tell no secrets."""

import json

from structlog.testing import capture_logs

from tests.api.conftest import Api, purchase
from tests.support.world import Customer, World


def test_answers_carry_safe_headers(api: Api, ada: Customer) -> None:
    for path in ("/v1/orders", "/healthz", "/nowhere"):
        headers = api.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cache-control"] == "no-store"
        assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
        assert len(headers["x-request-id"]) == 32


def test_logs_hold_no_bodies_addresses_or_keys(world: World, api: Api, ada: Customer) -> None:
    with capture_logs() as logs:
        api.quote(ada, purchase())
        api.post(f"/v1/accounts/{ada.account_id}/contacts", {"name": "Zed", "email": "zed@secret.example"})
        api.get("/v1/orders", params={"account_id": "zed@secret.example"})
        api.get("/zed@secret.example")
    written = json.dumps(logs, default=str)
    assert [word for word in (api.key, ada.email, "zed@secret", "Zed") if word in written] == []
    lines = [(entry["route"], entry["status"]) for entry in logs if entry["event"] == "request"]
    contacts = "/v1/accounts/{account_id}/contacts"
    assert lines == [("/v1/quotes", 201), (contacts, 201), ("/v1/orders", 422), ("none", 404)]
