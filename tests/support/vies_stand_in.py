"""The VIES stand-in for tests: `with running_vies(folder) as vies: ...`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.http import SOON_CLOSED
from tests.support.stand_in_process import StandInProcess

BASE_PATH = "/taxation_customs/vies/rest-api"


class ViesStandIn:
    def __init__(self, folder: Path) -> None:
        self._flags = ["--data", str(folder / "vies.sqlite3"), "--port"]
        self._log = folder / "vies.log"
        self._start(0)

    def _start(self, port: int) -> None:
        self._process = StandInProcess("api_stub.stand_ins.vies", [*self._flags, str(port)], self._log)
        self._process.start()
        self.url = f"http://{self._process.addresses['http']}"
        self.base_url = self.url + BASE_PATH
        self.http = httpx.Client(base_url=self.url, timeout=240, limits=SOON_CLOSED)

    def fail(self, kind: str, **limits: Any) -> None:
        """Switch a fault on: `fail("MS_UNAVAILABLE", country="DE", times=1)`."""
        self.http.post("/_control/faults", json={"kind": kind, **limits}).raise_for_status()

    def register(self, number: str, *, status: str, name: str | None = None, address: str | None = None) -> None:
        body = {"number": number, "status": status, "name": name, "address": address}
        self.http.post("/_control/numbers", json=body).raise_for_status()

    def questions(self) -> list[dict[str, Any]]:
        """What was asked, oldest first."""
        asked: list[dict[str, Any]] = self.http.get("/_control/requests").json()["requests"]
        return asked

    def forget(self) -> None:
        """Reset faults, register and questions. What was to strike so many times has struck, or the test proves nothing."""
        faults = self.http.delete("/_control").raise_for_status().json()["faults"]
        assert [fault for fault in faults if fault["times_left"] is not None] == []

    def post(self, operation: str, body: object) -> httpx.Response:
        return self.http.post(f"{BASE_PATH}/{operation}", json=body)

    def get(self, path: str) -> httpx.Response:
        return self.http.get(path)

    def kill_and_restart(self) -> None:
        port = int(self._process.addresses["http"].rpartition(":")[2])
        self._process.kill()
        self.http.close()
        self._start(port)

    def stop(self) -> None:
        self.http.close()
        self._process.stop()


@contextmanager
def running_vies(folder: Path) -> Iterator[ViesStandIn]:
    stand_in = ViesStandIn(folder)
    try:
        yield stand_in
    finally:
        stand_in.stop()
