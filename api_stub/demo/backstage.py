"""What the sample needs behind the API: catalogue and accounts loaded, a key issued, a quote of long ago.

`Here` has the stack's own settings; `ByCommand` has the `prorata` command only, in a container, say.
"""

import json
import secrets
import subprocess
import tempfile
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from models.rules.cart import Action, CartLine
from models.rules.period import Interval
from tasks import placement, wiring
from tasks.ledger_check.verify import of_one_moment, verify
from tasks.reconciliation.run import reconcile
from tasks.upstream import api_keys
from tasks.upstream.api_keys import Scope
from tasks.wiring import begin, now, policy
from worker.database import engine
from worker.loading import accounts_file, accounts_loading, catalogue_file, catalogue_loading
from worker.loading.accounts_file import account_id
from worker.settings import Settings
from worker.wiring import wired


class Backstage(Protocol):
    mail_domain: str
    """of Message-IDs"""

    def load_catalogue(self, text: str) -> None: ...
    def load_accounts(self, text: str) -> None: ...
    def issue_key(self, accounts: Sequence[str]) -> str: ...
    def ledger_differences(self) -> tuple[str, ...]:
        """What `prorata ledger verify` and `prorata ledger reconcile` find."""
        ...

    def quote_of_long_ago(
        self, *, account_id: UUID, contact_id: UUID, lines: Sequence[Mapping[str, Any]], age: timedelta
    ) -> str: ...


class Here:
    """In this process, on the stack's database."""

    def __init__(self, settings: Settings) -> None:
        wiring.plug_in(wired(settings, engine(settings)))
        self.mail_domain = policy().seller.mail_domain

    def load_catalogue(self, text: str) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            parsed = catalogue_file.read(Path(file.name))
        with begin() as session:
            catalogue_loading.load(session, parsed, now=now())

    def load_accounts(self, text: str) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            accounts_loading.load(accounts_file.read(Path(file.name)))

    def issue_key(self, accounts: Sequence[str]) -> str:
        with begin() as session:
            ids = [account_id(code) for code in accounts]
            issued = api_keys.issue(session, name=_key_name(), scopes=list(Scope), account_ids=ids, by="demo")
            return issued.key

    def ledger_differences(self) -> tuple[str, ...]:
        with begin() as session:
            found = verify(of_one_moment(session), None)
        since, until = _around_today()
        return tuple(str(difference) for difference in (*found, *reconcile(since, until).differences))

    def quote_of_long_ago(
        self, *, account_id: UUID, contact_id: UUID, lines: Sequence[Mapping[str, Any]], age: timedelta
    ) -> str:
        """A quote that only a clock set back can give; everything else goes over HTTP."""
        asked_at = now() - age
        cart = [_cart_line(line) for line in lines]
        with begin() as session:
            quote = placement.quote(
                session, account_id=account_id, contact_id=contact_id, cart=cart, now=asked_at, policy=policy()
            )
            return str(quote.id)


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
        return self._run("keys", "issue", _key_name(), *(f"--account={code}" for code in accounts)).strip()

    def ledger_differences(self) -> tuple[str, ...]:
        found = json.loads(self._run("ledger", "verify", "--json", may_end_with=(0, 1)))
        since, until = (f"--{name}={at:%Y-%m-%d}" for name, at in zip(("since", "until"), _around_today(), strict=True))
        reconciled = json.loads(self._run("ledger", "reconcile", since, until, "--json", may_end_with=(0, 1)))
        return tuple(str(difference) for difference in (*found, *reconciled["differences"]))

    def quote_of_long_ago(
        self, *, account_id: UUID, contact_id: UUID, lines: Sequence[Mapping[str, Any]], age: timedelta
    ) -> str:
        raise NotImplementedError("no command sets the clock back; leave out the sample orders that need it")

    def _run(self, *words: str, given: str = "", may_end_with: Collection[int] = (0,)) -> str:
        """Raises CalledProcessError; what the command complained of is on standard error."""
        command = [*self._prorata, *words]
        ended = subprocess.run(command, input=given, stdout=subprocess.PIPE, text=True, check=False, timeout=120)  # noqa: S603
        if ended.returncode not in may_end_with:
            ended.check_returncode()
        return ended.stdout


def _around_today() -> tuple[datetime, datetime]:
    """From yesterday's midnight to tomorrow's end, by the world's clock: what the sample's orders were charged."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=1), midnight + timedelta(days=2)


def _key_name() -> str:
    return f"demo {secrets.token_hex(4)}"


def _cart_line(line: Mapping[str, Any]) -> CartLine:
    interval = Interval(line["interval"]) if "interval" in line else None
    return CartLine(Action(line["action"]), line["product"], line.get("tier"), line.get("seats"), interval)
