"""All sample orders through a running stack: what they need is loaded, each is played and judged, the books are reconciled."""

import secrets
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from api_stub import sample as sample_files
from api_stub.demo import judging
from api_stub.demo.books import Post, Reconciliation, reconcile, reconcile_letters
from api_stub.demo.playing import Played, play
from api_stub.demo.sample_orders import SampleOrder, with_price
from api_stub.demo.upstream import Upstream
from api_stub.demo.world import World
from models.states import OrderStatus
from tasks import api_keys, wiring
from tasks.api_keys import Scope
from tasks.wiring import begin, now, policy
from worker import accounts_file, accounts_loading, catalogue_file, catalogue_loading
from worker.accounts_file import AccountsFile, account_id, contact_id
from worker.database import engine
from worker.settings import Settings
from worker.stack import Addresses
from worker.wiring import wired

AT_ONCE = 8
"""accounts whose orders are under way at the same time"""

SETTINGS = {"PRORATA_INVOICE_ON_VAT": "true"}
"""what the sample orders need to be otherwise than usual"""


class Watcher(Protocol):
    """Is told how the orders go."""

    def begins(self, sample: SampleOrder) -> None: ...
    def moves(self, sample: SampleOrder, entry: dict[str, Any]) -> None: ...
    def ends(self, played: Played, complaints: Sequence[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is loaded before the first sample order."""

    accounts: AccountsFile
    upstream: Upstream
    key: str
    had_before: Mapping[str, Sequence[UUID]]
    """orders for what accounts have already, by account"""


@dataclass(frozen=True, slots=True)
class Results:
    played: list[Played]
    complaints: dict[str, list[str]]
    """by the sample order's name; empty lists where all is as it must be"""
    books: Reconciliation
    letters: Post

    @property
    def as_expected(self) -> bool:
        return not any(self.complaints.values()) and not self.books.differences and not self.letters.differences


def prepare(settings: Settings, addresses: Addresses) -> Prepared:
    """Load catalogue and accounts, and issue an API key that is bound to them."""
    wiring.plug_in(wired(settings, engine(settings)))
    load_catalogue(sample_files.CATALOGUE)
    accounts = accounts_file.read(sample_files.ACCOUNTS)
    loaded = accounts_loading.load(accounts)
    ids = [account_id(account.code) for account in accounts.accounts]
    with begin() as session:
        name = f"demo {secrets.token_hex(4)}"
        key = api_keys.issue(session, name=name, scopes=list(Scope), account_ids=ids)
    return Prepared(accounts, Upstream(addresses.api, key), key, loaded.orders)


def load_catalogue(file: Path) -> None:
    parsed = catalogue_file.read(file)
    with begin() as session:
        catalogue_loading.load(session, parsed, now=now())


def raise_price(change: dict[str, Any]) -> None:
    """The sample catalogue anew, with one price changed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "catalogue.yaml"
        file.write_text(with_price(sample_files.CATALOGUE, **change), encoding="utf-8")
        load_catalogue(file)


def run(prepared: Prepared, addresses: Addresses, samples: Sequence[SampleOrder], watcher: Watcher) -> Results:
    """Play `samples`: those of one account in order, accounts side by side."""
    world = World(prepared.upstream, vies=addresses.vies, raise_price=raise_price)
    by_account: dict[str, list[SampleOrder]] = defaultdict(list)
    for sample in samples:
        by_account[sample.account].append(sample)
    course = _Course(prepared, world, watcher)
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        futures = [pool.submit(course.play_account, account, mine) for account, mine in by_account.items()]
        try:
            for future in futures:
                future.result()
        except BaseException:
            world.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    played = [course.played[sample.name] for sample in samples]
    orders = [prepared.upstream.order(order["id"]) for order in prepared.upstream.orders()]
    letters = reconcile_letters(orders, addresses.mailbox, policy().seller.mail_domain)
    return Results(played, course.complaints, reconcile(orders, addresses.stripe), letters)


class _Course:
    """One run; each account has a thread of its own."""

    def __init__(self, prepared: Prepared, world: World, watcher: Watcher) -> None:
        self._prepared, self._world, self._watcher = prepared, world, watcher
        self.played: dict[str, Played] = {}
        self.complaints: dict[str, list[str]] = {}

    def play_account(self, account: str, samples: Sequence[SampleOrder]) -> None:
        for order in self._prepared.had_before.get(account, ()):
            self._world.wait_for(str(order), (OrderStatus.COMPLETED,), lambda _: None)
        for sample in samples:
            self._watcher.begins(sample)
            played = play(sample, self._world, self._buyer, partial(self._watcher.moves, sample))
            self.played[sample.name] = played
            self.complaints[sample.name] = judging.complaints(played)
            self._watcher.ends(played, self.complaints[sample.name])

    def _buyer(self, sample: SampleOrder) -> tuple[UUID, UUID]:
        account = next(each for each in self._prepared.accounts.accounts if each.code == sample.account)
        email = sample.contact or next(c.email for c in account.contacts if c.is_billing_contact)
        return account_id(sample.account), contact_id(sample.account, email)
