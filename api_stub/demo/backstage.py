"""What the sample needs behind the API: catalogue and accounts loaded, a key issued, a quote of long ago."""

import secrets
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from models.rules.cart import Action, CartLine
from models.rules.period import Interval
from tasks import placement, wiring
from tasks.ledger_check.verify import verify
from tasks.reconciliation.reconcile import reconcile
from tasks.snapshot import of_one_moment
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
            issued = api_keys.issue(session, name=key_name(), scopes=list(Scope), account_ids=ids, by="demo")
            return issued.key

    def ledger_differences(self) -> tuple[str, ...]:
        with begin() as session:
            found = verify(of_one_moment(session), None)
        since, until = around_today()
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


def around_today() -> tuple[datetime, datetime]:
    """From yesterday's midnight to tomorrow's end, by the world's clock: what the sample's orders were charged."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=1), midnight + timedelta(days=2)


def key_name() -> str:
    return f"demo {secrets.token_hex(4)}"


def _cart_line(line: Mapping[str, Any]) -> CartLine:
    interval = Interval(line["interval"]) if "interval" in line else None
    return CartLine(Action(line["action"]), line["product"], line.get("tier"), line.get("seats"), interval)
