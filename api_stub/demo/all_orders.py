"""All sample orders through a running stack: what they need is loaded, each is played and judged, the books are reconciled."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from api_stub import sample as sample_files
from api_stub.demo import judging
from api_stub.demo.backstage import Backstage
from api_stub.demo.books import Post, Reconciliation, compare_charges, compare_letters
from api_stub.demo.playing import Played, play
from api_stub.demo.sample_file import SampleOrder
from api_stub.demo.upstream import Upstream
from api_stub.demo.world import World
from models.states import OrderStatus
from worker.loading import accounts_file
from worker.loading.accounts_file import AccountsFile, account_id, contact_id
from worker.stack import Addresses

AT_ONCE = 8
"""accounts whose orders are under way at the same time"""

SETTINGS = {"PRORATA_INVOICE_ON_VAT": "true"}
"""settings that the sample orders need to differ from the defaults"""


class Watcher(Protocol):
    """Is told how the orders go."""

    def begins(self, sample: SampleOrder) -> None: ...
    def moves(self, sample: SampleOrder, entry: dict[str, Any]) -> None: ...
    def ends(self, played: Played, complaints: Sequence[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is there before the first sample order."""

    accounts: AccountsFile
    upstream: Upstream
    key: str
    backstage: Backstage


@dataclass(frozen=True, slots=True)
class Results:
    played: list[Played]
    complaints: dict[str, list[str]]
    """by the sample order's name; empty lists where all is as it must be"""
    books: Reconciliation
    letters: Post
    ledger: tuple[str, ...]
    """what `prorata ledger verify` and `reconcile` find; empty where every amount can be recomputed and equals the provider's"""

    @property
    def as_expected(self) -> bool:
        wrong = (*self.complaints.values(), self.books.differences, self.letters.differences, self.ledger)
        return not any(wrong)


def prepare(backstage: Backstage, addresses: Addresses) -> Prepared:
    """Load catalogue and accounts, and issue an API key that is bound to them."""
    backstage.load_catalogue(sample_files.CATALOGUE.read_text(encoding="utf-8"))
    backstage.load_accounts(sample_files.ACCOUNTS.read_text(encoding="utf-8"))
    accounts = accounts_file.read(sample_files.ACCOUNTS)
    key = backstage.issue_key([account.code for account in accounts.accounts])
    return Prepared(accounts, Upstream(addresses.api, key), key, backstage)


def run(prepared: Prepared, addresses: Addresses, samples: Sequence[SampleOrder], watcher: Watcher) -> Results:
    """Play `samples`: those of one account in order, accounts side by side."""
    world = World(prepared.upstream, prepared.backstage, vies=addresses.vies)
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
    letters = compare_letters(orders, addresses.mailbox, prepared.backstage.mail_domain)
    books = compare_charges(orders, addresses.stripe)
    ledger = prepared.backstage.ledger_differences()
    return Results(played, course.complaints, books, letters, ledger)


class _Course:
    """One run; each account has a thread of its own."""

    def __init__(self, prepared: Prepared, world: World, watcher: Watcher) -> None:
        self._prepared = prepared
        self._world = world
        self._watcher = watcher
        self.played: dict[str, Played] = {}
        self.complaints: dict[str, list[str]] = {}

    def play_account(self, account: str, samples: Sequence[SampleOrder]) -> None:
        for bought_before in self._prepared.upstream.orders(account_id(account)):
            self._world.wait_for(bought_before["id"], (OrderStatus.COMPLETED,), lambda _: None)
        for sample in samples:
            if self._world.is_stopped():
                return
            self._watcher.begins(sample)
            played = play(sample, self._world, self._buyer, partial(self._watcher.moves, sample))
            if self._world.is_stopped():
                return  # it was interrupted: how far it came is no outcome to judge
            self.played[sample.name] = played
            self.complaints[sample.name] = judging.complaints(played)
            self._watcher.ends(played, self.complaints[sample.name])

    def _buyer(self, sample: SampleOrder) -> tuple[UUID, UUID]:
        account = next(each for each in self._prepared.accounts.accounts if each.code == sample.account)
        email = sample.contact or next(c.email for c in account.contacts if c.is_billing_contact)
        return account_id(sample.account), contact_id(sample.account, email)
