"""The upstream layer that submits the sample orders: plain HTTP with an API key, as any shop would."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import httpx

Json = dict[str, Any]


class Refusal(Exception):
    """The API said no; `code` is the last part of the problem's type."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("type", "")).rpartition("/")[2]
        self.detail = str(problem.get("detail", problem))
        super().__init__(f"{status} {self.code}: {self.detail}")


class Upstream:
    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
            trust_env=False,
            follow_redirects=False,
        )

    def close(self) -> None:
        self._http.close()

    def quote(self, *, account_id: UUID, contact_id: UUID, lines: Sequence[Mapping[str, Any]]) -> Json:
        body = {"account_id": str(account_id), "contact_id": str(contact_id), "lines": [dict(line) for line in lines]}
        return self._json("POST", "/v1/quotes", json=body)

    def place(self, *, account_id: UUID, quote_id: str, key: str) -> Json:
        """The same key gives the same order, however often."""
        body = {"account_id": str(account_id), "quote_id": quote_id}
        return self._json("POST", "/v1/orders", json=body, headers={"Idempotency-Key": key})

    def order(self, order_id: str) -> Json:
        return self._json("GET", f"/v1/orders/{order_id}")

    def orders(self, account_id: UUID | None = None) -> Iterator[Json]:
        """All of them, or an account's; newest first."""
        only: dict[str, Any] = {"account_id": str(account_id)} if account_id else {}
        before: dict[str, int] = {}
        while True:
            page = self._json("GET", "/v1/orders", params={"limit": 100, **only, **before})
            yield from page["orders"]
            if page["next_before"] is None:
                return
            before = {"before": page["next_before"]}

    def events(self, order_id: str, *, after: int) -> Iterator[Json | None]:
        """The order's timeline after the entry with that id, as it is written; None now and then while nothing happens."""
        path = f"/v1/orders/{order_id}/events"
        headers = {"Last-Event-ID": str(after)}
        with self._http.stream("GET", path, headers=headers) as answer:
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))
                elif line.startswith(":"):
                    yield None

    def pay_with(self, order_id: str, token: str) -> None:
        self._json("POST", f"/v1/orders/{order_id}/payment-method", json={"token": token})

    def confirm(self, order_id: str, quote_id: str) -> None:
        self._json("POST", f"/v1/orders/{order_id}/confirm", json={"quote_id": quote_id})

    def cancel(self, order_id: str) -> None:
        self._json("POST", f"/v1/orders/{order_id}/cancel")

    def assign(self, account_id: UUID, product: str, users: Sequence[str]) -> None:
        """Give users seats, by CSV."""
        held = self._json("GET", f"/v1/accounts/{account_id}/subscriptions")["subscriptions"]
        subscription = next(each["id"] for each in held if each["product"] == product)
        csv = "email,action\r\n" + "".join(f"{user},assign\r\n" for user in users)
        path = f"/v1/subscriptions/{subscription}/seats/bulk"
        self._json("POST", path, content=csv.encode(), headers={"Content-Type": "text/csv"})

    def _json(self, method: str, path: str, **request: Any) -> Json:
        """Raises Refusal."""
        answer = self._http.request(method, path, **request)
        body: Json = answer.json()
        if answer.is_error:
            raise Refusal(answer.status_code, body)
        return body
