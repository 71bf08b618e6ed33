"""What the sample needs behind the API, where there is only the `prorata` command: in a container, say."""

import json
import subprocess
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from api_stub.demo.backstage import around_today, key_name


class ByCommand:
    """prorata: how to run the command, word by word."""

    mail_domain = "prorata.example"

    def __init__(self, prorata: Sequence[str]) -> None:
        self._prorata = tuple(prorata)

    def load_catalogue(self, text: str) -> None:
        self._run("catalogue", "load", "/dev/stdin", given=text)

    def load_accounts(self, text: str) -> None:
        self._run("accounts", "load", "/dev/stdin", given=text)

    def issue_key(self, accounts: Sequence[str]) -> str:
        return self._run("keys", "issue", key_name(), *(f"--account={code}" for code in accounts)).strip()

    def ledger_differences(self) -> tuple[str, ...]:
        found = json.loads(self._run("ledger", "verify", "--json", may_end_with=(0, 1)))
        since, until = (f"--{name}={at:%Y-%m-%d}" for name, at in zip(("since", "until"), around_today(), strict=True))
        reconciled = json.loads(self._run("ledger", "reconcile", since, until, "--json", may_end_with=(0, 1)))
        return tuple(str(difference) for difference in (*found, *reconciled["differences"]))

    def quote_of_long_ago(
        self, *, account_id: UUID, contact_id: UUID, lines: Sequence[Mapping[str, Any]], age: timedelta
    ) -> str:
        raise NotImplementedError("no command sets the clock back; leave out the sample orders that need it")

    def _run(self, *words: str, given: str = "", may_end_with: Collection[int] = (0,)) -> str:
        """Raises CalledProcessError; what the command complained of is on standard error."""
        command = [*self._prorata, *words]
        ended = subprocess.run(command, input=given, stdout=subprocess.PIPE, text=True, check=False, timeout=120)
        if ended.returncode not in may_end_with:
            ended.check_returncode()
        return ended.stdout
