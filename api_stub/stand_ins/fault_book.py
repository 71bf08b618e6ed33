"""Faults switched on for a stand-in: what goes wrong, for whom, how many times. Kept in the stand-in's state file."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

SCHEMA = """
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, match TEXT NOT NULL, times_left INTEGER,
    seconds REAL NOT NULL, code INTEGER
);
"""


class FaultOrder(BaseModel):
    """What `POST /_control/faults` takes in every stand-in; each adds what its faults may be limited to."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    times: int | None = Field(default=None, ge=1, description="how often it strikes; none: until cleared")
    seconds: float = Field(default=60.0, gt=0, le=3600, description="how long what hangs hangs, and what is slow takes")
    code: int | None = Field(default=None, ge=400, le=599, description="another code than the kind's own")


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    match: dict[str, str]
    times_left: int | None
    seconds: float
    code: int | None

    def concerns(self, facts: Mapping[str, str]) -> bool:
        return all(fnmatchcase(facts.get(name, "").lower(), wanted.lower()) for name, wanted in self.match.items())


class FaultBook:
    """The only reader and writer of the faults in its file, so it also keeps them in memory."""

    def __init__(self, state: sqlite3.Connection) -> None:
        self._state = state
        state.executescript(SCHEMA)
        self._known = self._read()

    def add(self, order: FaultOrder, match: Mapping[str, str | None]) -> None:
        """`match`: facts the request must have, `*` and `?` allowed; None means any."""
        wanted = {name: value for name, value in match.items() if value is not None}
        self._write(
            "INSERT INTO faults (kind, match, times_left, seconds, code) VALUES (?, ?, ?, ?, ?)",
            (order.kind, json.dumps(wanted), order.times, order.seconds, order.code),
        )

    def strike(self, facts: Mapping[str, str], kinds: frozenset[str] | None = None) -> Fault | None:
        """The oldest fault that concerns this request (of these kinds), counted as used; None: all is well."""
        for row_id, fault in self._known:
            if (kinds is None or fault.kind in kinds) and fault.concerns(facts):
                self._use_up(row_id, fault)
                return fault
        return None

    def _use_up(self, row_id: int, fault: Fault) -> None:
        if fault.times_left is None:
            return
        if fault.times_left == 1:
            self._write("DELETE FROM faults WHERE id = ?", (row_id,))
        else:
            self._write("UPDATE faults SET times_left = times_left - 1 WHERE id = ?", (row_id,))

    def all(self) -> list[Fault]:
        return [fault for _, fault in self._known]

    def clear(self) -> None:
        self._write("DELETE FROM faults")

    def _write(self, statement: str, values: tuple[Any, ...] = ()) -> None:
        self._state.execute(statement, values)
        self._known = self._read()

    def _read(self) -> list[tuple[int, Fault]]:
        return [(row["id"], _fault(row)) for row in self._state.execute("SELECT * FROM faults ORDER BY id")]


def _fault(row: Mapping[str, Any] | sqlite3.Row) -> Fault:
    return Fault(row["kind"], json.loads(row["match"]), row["times_left"], row["seconds"], row["code"])
