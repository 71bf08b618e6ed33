"""Where a drill takes place: a stack of its own, a look into its database beside it, and the stand-ins' levers and books."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from tasks import wiring
from tasks.upstream import api_keys
from tasks.upstream.api_keys import Scope
from tasks.wiring import now
from worker import stack
from worker.database import Transactions
from worker.drill.kinds import Kind
from worker.loading import accounts_loading, catalogue_file, catalogue_loading
from worker.loading.accounts_file import (
    AccountListed,
    AccountsFile,
    ContactListed,
    PaymentMethodListed,
    account_id,
    contact_id,
)
from worker.stack import Stack
from worker.wiring import wired

CATALOGUE = Path(__file__).with_name("catalogue.yaml")
POLICY = {"PRORATA_INVOICE_ON_VAT": "true", "PRORATA_VAT_OUTAGE": "provisional"}
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Customer:
    """An account, its billing contact, and the kind of order it is for."""

    account_id: UUID
    contact_id: UUID
    kind: Kind


@dataclass(frozen=True, slots=True)
class Ground:
    stack: Stack
    begin: Callable[[], AbstractContextManager[Session]]
    """a transaction on the stack's database, which bypasses the proxies"""
    deaths: Path
    """where processes are told to die; see `worker.drill_points`"""
    levers: httpx.Client

    def customers(self, kinds: Sequence[Kind], *, named: str) -> list[Customer]:
        """An account for each; the subscriptions they start with are ordered, and may not be active yet."""
        codes = [f"{named}-{number}" for number in range(len(kinds))]
        listed = tuple(_account(code, kind) for code, kind in zip(codes, kinds, strict=True))
        accounts_loading.load(AccountsFile(Path(named), listed))
        return [
            Customer(account_id(code), contact_id(code, _email(code)), kind)
            for code, kind in zip(codes, kinds, strict=True)
        ]

    def key_for(self, customers: Sequence[Customer], *, named: str) -> str:
        """An API key that may order for them."""
        with self.begin() as session:
            ids = [customer.account_id for customer in customers]
            issued = api_keys.issue(session, name=named, scopes=list(Scope), account_ids=ids, by="drill")
            return issued.key

    def stripe(self, lever: str, **body: Any) -> None:
        self.levers.post(f"{self.stack.addresses.stripe}/_control/{lever}", json=body).raise_for_status()

    def mailbox_fault(self, kind: str, **limits: Any) -> None:
        url = f"{self.stack.addresses.mailbox}/_control/faults"
        self.levers.post(url, json={"kind": kind, **limits}).raise_for_status()

    def heal_mailbox(self) -> None:
        self.levers.delete(f"{self.stack.addresses.mailbox}/_control/faults").raise_for_status()

    def vies_fault(self, kind: str, **limits: Any) -> None:
        url = f"{self.stack.addresses.vies}/_control/faults"
        self.levers.post(url, json={"kind": kind, **limits}).raise_for_status()

    def calm_stand_ins(self) -> None:
        for address in (self.stack.addresses.stripe, self.stack.addresses.mailbox, self.stack.addresses.vies):
            self.levers.delete(f"{address}/_control/faults").raise_for_status()
        self.stripe("latency", seconds=0)

    def books(self) -> dict[str, list[dict[str, Any]]]:
        """Stripe's own: customers, payment_intents, charges, refunds."""
        answer = self.levers.get(f"{self.stack.addresses.stripe}/_control/books", timeout=120).raise_for_status()
        books: dict[str, list[dict[str, Any]]] = answer.json()
        return books

    def mails(self) -> Counter[str]:
        """How many emails arrived under each Message-ID."""
        url = f"{self.stack.addresses.mailbox}/api/v1/messages"
        answer = self.levers.get(url, params={"limit": 10_000_000}, timeout=120).raise_for_status()
        return Counter(message["MessageID"] for message in answer.json()["messages"])


@contextmanager
def ground(
    folder: Path, *, chosen: Mapping[str, str] | None = None, detour: stack.Detour = dict, say: Say
) -> Iterator[Ground]:
    """A running stack with the drill's catalogue; see `stack.running` for what it raises."""
    deaths = folder.absolute() / "deaths"
    deaths.mkdir(parents=True, exist_ok=True)
    settings = POLICY | {"PRORATA_DRILL_FOLDER": str(deaths)} | dict(chosen or {})
    with stack.running(folder, chosen=settings, durable=True, restart=True, detour=detour, say=say) as running:
        engine = create_engine(running.settings.database_url.get_secret_value(), pool_size=5, pool_pre_ping=True)
        with httpx.Client(timeout=60, transport=httpx.HTTPTransport(retries=6)) as levers:  # a stand-in may be starting
            wiring.plug_in(wired(running.settings, engine))
            made = Ground(running, Transactions(engine), deaths, levers)
            with made.begin() as session:
                catalogue_loading.load(session, catalogue_file.read(CATALOGUE), now=now())
            try:
                yield made
            finally:
                engine.dispose()


def _account(code: str, kind: Kind) -> AccountListed:
    return AccountListed(
        code=code,
        line=0,
        columns={"name": f"{kind.name} {code}", **kind.columns},
        balance_minor=kind.balance_minor,
        payment_method=PaymentMethodListed(0, kind.card) if kind.card else None,
        contacts=(ContactListed("Ada Byron", _email(code), is_billing_contact=True),),
        subscriptions=kind.subscriptions,
    )


def _email(code: str) -> str:
    return f"{code}@drill.example"
