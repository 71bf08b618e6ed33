"""The stand-in's records inside one transaction: objects, events, what is due later."""

import json
import secrets
import sqlite3
import string
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from api_stub.stand_ins.stripe.errors import JsonObject, missing

API_VERSION = "2026-10-28.endive"
_ALPHABET = (string.ascii_letters + string.digits).encode()
_LETTERS = bytes(_ALPHABET[number % len(_ALPHABET)] for number in range(256))
"""the letter that stands for each byte"""
_LINKS = ("customer", "payment_intent", "charge", "type")


def new_id(prefix: str) -> str:
    return f"{prefix}_" + secrets.token_bytes(24).translate(_LETTERS).decode()


class Ledger:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.next_due = 0.0
        """when the next delivery or other action is due; may be too early, never too late"""
        self._settings: dict[str, str] = {}
        """a cache of those read since the last rollback"""

    @contextmanager
    def savepoint(self, name: str) -> Iterator[None]:
        self.connection.execute(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            self.connection.execute(f"ROLLBACK TO {name}")
            self.connection.execute(f"RELEASE {name}")
            self.undone()
            raise
        self.connection.execute(f"RELEASE {name}")

    def undone(self) -> None:
        """After a rollback, cached settings may be wrong."""
        self._settings.clear()
        self.next_due = 0.0

    def add(self, body: JsonObject, *, token: str | None = None) -> JsonObject:
        """A new object; it must have `id` and `object`, `created` is set where it is missing."""
        body.setdefault("created", int(time.time()))
        values = [body.get(name) for name in _LINKS]
        self.connection.execute(
            "INSERT INTO objects (id, kind, created, customer, payment_intent, charge, type, token, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [body["id"], body["object"], body["created"], *values, token, json.dumps(body)],
        )
        return body

    def save(self, body: JsonObject) -> JsonObject:
        values = [body.get(name) for name in _LINKS]
        self.connection.execute(
            "UPDATE objects SET customer = ?, payment_intent = ?, charge = ?, type = ?, body = ? WHERE id = ?",
            [*values, json.dumps(body), body["id"]],
        )
        return body

    def find(self, kind: str, identifier: str) -> JsonObject | None:
        row = self.connection.execute(
            "SELECT body FROM objects WHERE id = ? AND kind = ?", [identifier, kind]
        ).fetchone()
        return None if row is None else json.loads(row["body"])

    def named(self, kind: str, identifier: str, *, param: str, called: str | None = None) -> JsonObject:
        """The object that a path names. param, called: what Stripe's error calls the id and the kind, where there is none."""
        found = self.find(kind, identifier)
        if found is None:
            raise missing(called or kind, identifier, param=param, in_path=True)
        return found

    def token_of(self, identifier: str) -> str:
        """The test token that an object was made from; never part of what is answered."""
        row = self.connection.execute("SELECT token FROM objects WHERE id = ?", [identifier]).fetchone()
        return str(row["token"])

    def position_of(self, identifier: str) -> int | None:
        row = self.connection.execute("SELECT seq FROM objects WHERE id = ?", [identifier]).fetchone()
        return None if row is None else int(row["seq"])

    def select(self, kind: str, links: Mapping[str, str], *, condition: str = "1", values: tuple[Any, ...] = (), limit: int = -1,
               newest_first: bool = True) -> list[JsonObject]:  # fmt: skip
        """Objects of a kind; `condition` is this package's own SQL, everything from outside comes in `values`."""
        where = " AND ".join(["kind = ?", *(f"{name} = ?" for name in links), condition])
        order = "DESC" if newest_first else "ASC"
        rows = self.connection.execute(
            f"SELECT body FROM objects WHERE {where} ORDER BY seq {order} LIMIT ?",  # noqa: S608 - names are ours
            [kind, *links.values(), *values, limit],
        )
        return [json.loads(row["body"]) for row in rows]

    def emit(self, type_: str, subject: JsonObject, *, idempotency_key: str | None = None) -> None:
        """An event about `subject` as it is now, and its delivery, where the endpoint listens to this type."""
        listening = bool(self.setting("webhook_url")) and listens(self.setting("webhook_events"), type_)
        event = self.add({
            "id": new_id("evt"), "object": "event", "api_version": API_VERSION, "type": type_, "livemode": False,
            "data": {"object": subject}, "pending_webhooks": int(listening), "request": {"id": None, "idempotency_key": idempotency_key},
        })  # fmt: skip
        if listening:
            copies = int(self.setting("webhook_copies") or "1")
            due = time.time() + float(self.setting("webhook_delay") or "0")
            for _ in range(copies):
                self.deliver(event["id"], due)

    def deliver(self, event: str, due: float) -> None:
        self.connection.execute("INSERT INTO deliveries (event, due) VALUES (?, ?)", [event, due])
        self.next_due = min(self.next_due, due)

    def plan(self, what: str, identifier: str) -> None:
        """Something that the bank does later, e.g. settling a refund."""
        due = time.time() + float(self.setting("settle_seconds") or "1")
        self.connection.execute("INSERT INTO later (due, what, id) VALUES (?, ?, ?)", [due, what, identifier])
        self.next_due = min(self.next_due, due)

    def settle_after(self, seconds: float) -> None:
        """The bank takes so long from now on, also over what it has been planning."""
        self.connection.execute("UPDATE later SET due = ?", [time.time() + seconds])
        self.set("settle_seconds", str(seconds))

    def setting(self, name: str) -> str:
        if name not in self._settings:
            row = self.connection.execute("SELECT value FROM settings WHERE name = ?", [name]).fetchone()
            self._settings[name] = "" if row is None else str(row["value"])
        return self._settings[name]

    def set(self, name: str, value: str) -> None:
        self.connection.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", [name, value])
        self._settings[name] = value
        self.next_due = 0.0


def listens(patterns: str, type_: str) -> bool:
    """`payment_intent.*,refund.created`: the endpoint's enabled events."""
    return any(
        pattern in ("*", type_) or (pattern.endswith(".*") and type_.startswith(pattern[:-1]))
        for pattern in patterns.split(",")
    )
