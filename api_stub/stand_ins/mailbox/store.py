"""The mailbox's memory: emails as they came, beside what lists and searches need of them."""

import asyncio
import json
import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from api_stub.stand_ins.mailbox import letters

SCHEMA = """
CREATE TABLE IF NOT EXISTS emails (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, received_at TEXT NOT NULL, seen INTEGER NOT NULL DEFAULT 0,
    sender TEXT NOT NULL, recipients TEXT NOT NULL, username TEXT NOT NULL, raw BLOB NOT NULL,
    summary TEXT NOT NULL, words TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS emails_not_read ON emails (position) WHERE summary = '';
"""
AT_ONCE = 20
"""emails read before others get a turn"""


@dataclass(frozen=True, slots=True)
class Email:
    id: str
    received_at: datetime
    seen: bool
    sender: str
    recipients: list[str]
    username: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list: Mailpit's summary, and the words that a search may look for."""

    summary: dict[str, Any]
    words: str


class Store:
    def __init__(self, state: sqlite3.Connection) -> None:
        self._state = state
        state.executescript(SCHEMA)

    def add(self, raw: bytes, *, sender: str, recipients: list[str], username: str) -> str:
        """Keep an email and return its id; it outlives the process from then on. Its content is parsed when somebody asks for it."""
        email_id = secrets.token_hex(11)
        self._state.execute(
            "INSERT INTO emails (id, received_at, sender, recipients, username, raw, summary, words)"
            " VALUES (?, ?, ?, ?, ?, ?, '', '')",
            (email_id, _as_text(datetime.now(UTC)), sender, json.dumps(recipients), username, raw),
        )
        return email_id

    async def newest_first(self) -> list[Listed]:
        while self._read_some_new():
            await asyncio.sleep(0)  # lets new emails come in meanwhile
        rows = self._state.execute(
            "SELECT id, seen, summary, words FROM emails WHERE summary != '' ORDER BY position DESC"
        )
        return [
            Listed({"ID": row["id"], "Read": bool(row["seen"]), **json.loads(row["summary"])}, row["words"])
            for row in rows
        ]

    def _read_some_new(self) -> bool:
        """Work out, and keep, what lists and searches need of some new emails; returns False where there are none."""
        new = self._state.execute("SELECT * FROM emails WHERE summary = '' LIMIT ?", (AT_ONCE,)).fetchall()
        if not new:
            return False
        self._state.execute("BEGIN")
        for row in new:
            summary, words = _told_by(row)
            self._state.execute("UPDATE emails SET summary = ?, words = ? WHERE id = ?", (summary, words, row["id"]))
        self._state.execute("COMMIT")
        return True

    def counts(self) -> tuple[int, int]:
        """All, and those not read yet."""
        row = self._state.execute("SELECT count(*) AS total, count(*) - coalesce(sum(seen), 0) AS unread FROM emails")
        total, unread = row.fetchone()
        return total, unread

    def get(self, email_id: str) -> Email | None:
        """`latest` is the newest one's id too."""
        which = "ORDER BY position DESC LIMIT 1" if email_id == "latest" else "WHERE id = :id"
        row = self._state.execute(f"SELECT * FROM emails {which}", {"id": email_id}).fetchone()  # noqa: S608 two constants
        if row is None:
            return None
        return Email(
            row["id"],
            datetime.fromisoformat(row["received_at"]),
            bool(row["seen"]),
            row["sender"],
            json.loads(row["recipients"]),
            row["username"],
            row["raw"],
        )

    def mark_seen(self, email_id: str) -> None:
        self._state.execute("UPDATE emails SET seen = 1 WHERE id = ?", (email_id,))

    def delete(self, ids: Iterable[str]) -> None:
        self._state.executemany("DELETE FROM emails WHERE id = ?", [(email_id,) for email_id in ids])

    def delete_all(self) -> None:
        self._state.execute("DELETE FROM emails")


def _told_by(row: sqlite3.Row) -> tuple[str, str]:
    try:
        message = letters.read(row["raw"])
        return _summed_up(message, row)
    except Exception:  # noqa: BLE001 - one email that nobody can read must not hide the others
        return _summed_up(letters.read(b""), row)


def _summed_up(message: EmailMessage, row: sqlite3.Row) -> tuple[str, str]:
    """Mailpit's summary as JSON, and the words that a search may look for."""
    summary = {
        "MessageID": letters.message_id(message),
        **letters.people(message, json.loads(row["recipients"])),
        "Subject": letters.header(message, "Subject"),
        "Created": row["received_at"],
        "Username": row["username"],
        "Tags": [],
        "Size": len(row["raw"]),
        "Attachments": len(letters.parts(message)),
        "Snippet": letters.snippet(message),
    }
    words = (
        f"{json.dumps(summary, ensure_ascii=False)} {letters.body(message, 'plain')} {letters.body(message, 'html')}"
    )
    return json.dumps(summary), words.lower()


def _as_text(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
