"""The mailbox for tests, and a reader that reads it and Mailpit alike: `with running_mailbox(folder) as mailbox: ...`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.http import SOON_CLOSED
from tests.support.stand_in_process import StandInProcess

CERTIFICATES = Path(__file__).parent / "certificates"
TRUSTED = str(CERTIFICATES / "ca.pem")
TLS_FLAGS = ["--certificate", str(CERTIFICATES / "localhost.pem"), "--key", str(CERTIFICATES / "localhost.key")]


class MailReader:
    """Reads emails by what Mailpit and our mailbox have in common."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=240, limits=SOON_CLOSED)

    def listed(self, query: str = "") -> list[dict[str, Any]]:
        """Summaries, newest first; `query` in Mailpit's language, such as `to:anna@customer.example`."""
        path, params = ("/api/v1/search", {"query": query}) if query else ("/api/v1/messages", {})
        answer = self.http.get(path, params={**params, "limit": "500"})
        found: list[dict[str, Any]] = answer.raise_for_status().json()["messages"]
        return found

    def read(self, email_id: str = "latest") -> dict[str, Any]:
        email: dict[str, Any] = self.http.get(f"/api/v1/message/{email_id}").raise_for_status().json()
        return email

    def headers(self, email_id: str = "latest") -> dict[str, list[str]]:
        headers: dict[str, list[str]] = self.http.get(f"/api/v1/message/{email_id}/headers").raise_for_status().json()
        return headers

    def source(self, email_id: str = "latest") -> bytes:
        return self.http.get(f"/api/v1/message/{email_id}/raw").raise_for_status().content

    def attachment(self, email_id: str, part_id: str) -> httpx.Response:
        return self.http.get(f"/api/v1/message/{email_id}/part/{part_id}")

    def empty(self) -> None:
        self.http.delete("/api/v1/messages").raise_for_status()


class Mailbox(MailReader):
    """Our own mailbox, which also fails on demand."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self._flags = ["--data", str(folder / "mailbox.sqlite3"), *flags]
        self._log = folder / "mailbox.log"
        self._start("0", "0")

    def _start(self, smtp_port: str, http_port: str) -> None:
        ports = ["--smtp-port", smtp_port, "--http-port", http_port]
        self._process = StandInProcess("api_stub.stand_ins.mailbox", [*self._flags, *ports], self._log)
        self._process.start()
        self.url = f"http://{self._process.addresses['http']}"
        self.host, _, port = self._process.addresses["smtp"].rpartition(":")
        self.port = int(port)
        super().__init__(self.url)

    def fail(self, kind: str, **limits: Any) -> None:
        """Switch a fault on: `fail("greylisted", recipient="*@customer.example", times=1)`."""
        self.http.post("/_control/faults", json={"kind": kind, **limits}).raise_for_status()

    def heal(self) -> None:
        """No fault is left. What was to strike so many times has struck, or the test proves nothing."""
        faults = self.http.get("/_control/faults").raise_for_status().json()["faults"]
        self.http.delete("/_control/faults").raise_for_status()
        assert [fault for fault in faults if fault["times_left"] is not None] == []

    def forget(self) -> None:
        """`heal`, and the emails, all of which are read again at each search: in one request, as every test ends with it."""
        faults = self.http.delete("/_control").raise_for_status().json()["faults"]
        assert [fault for fault in faults if fault["times_left"] is not None] == []

    def kill_and_restart(self) -> None:
        http_port = self._process.addresses["http"].rpartition(":")[2]
        self._process.kill()
        self.http.close()
        self._start(str(self.port), http_port)

    def stop(self) -> None:
        self.http.close()
        self._process.stop()


@contextmanager
def running_mailbox(folder: Path, *flags: str) -> Iterator[Mailbox]:
    mailbox = Mailbox(folder, *flags)
    try:
        yield mailbox
    finally:
        mailbox.stop()
