"""Loading an accounts file beside those who buy: it locks only what it changes, for a moment, and in the order in which everybody locks accounts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from models.account_lock import lock_account, lock_accounts
from models.accounts import Account, Contact, PaymentMethod, PaymentMethodStatus
from tasks.personal_data import erasure
from tasks.ports import StoredPaymentMethod
from tasks.upstream import payment_details
from tests.support.waiting import until_it_waits_for
from tests.support.world import World
from worker.commands import failures
from worker.loading import accounts_file, accounts_loading, accounts_writing
from worker.loading.accounts_file import AccountsFile, account_id
from worker.loading.accounts_loading import LoadedAccounts
from worker.loading.accounts_writing import LoadedInPart
from worker.loading.readable_file import FileRefused

FIRST, SECOND = account_id("nordwind"), account_id("suedwind")
"""in the order of their ids, which is not that of the file"""
FILE = """\
accounts:
  suedwind:
    name: Südwind GmbH
    country: DE
    currency: EUR
    contacts: [{name: Carla, email: carla@suedwind.example, billing_contact: true}]
  nordwind:
    name: Nordwind GmbH
    country: DE
    currency: EUR
    contacts: [{name: Anna, email: anna@nordwind.example}, {name: Bernd, email: bernd@nordwind.example}]
"""
RENAMED = FILE.replace("GmbH", "AG")


@dataclass
class Says:
    """Is told how far a load has come, and does something at one of these moments."""

    at: str = ""
    do: Callable[[], object] = lambda: None
    said: list[str] = field(default_factory=list)

    def __call__(self, what: str) -> None:
        self.said.append(what)
        if what == self.at:
            self.do()


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], AccountsFile]:
    def read(content: str) -> AccountsFile:
        file = tmp_path / "accounts.yaml"
        file.write_text(content)
        return accounts_file.read(file)

    return read


@pytest.fixture
def load(world: World, read: Callable[[str], AccountsFile]) -> Callable[[str], LoadedAccounts]:
    return lambda content: accounts_loading.load(read(content))


def names(world: World) -> list[str]:
    with world.begin() as session:
        return list(session.scalars(select(Account.name).where(Account.id.in_([FIRST, SECOND])).order_by(Account.id)))


def row_versions(world: World) -> list[str]:
    """Another one for each row that was written."""
    with world.begin() as session:
        tables = [select(table.id, text("xmin::text")) for table in (Account, Contact)]
        return sorted(str(row) for table in tables for row in session.execute(table))


def test_a_file_that_says_nothing_new_waits_for_nobody_and_writes_nothing(
    world: World, load: Callable[[str], LoadedAccounts]
) -> None:
    load(FILE)
    before = row_versions(world)
    with world.begin() as session, world.impatient():
        lock_accounts(session, [FIRST, SECOND])
        assert load(FILE).known == ["suedwind", "nordwind"]
    assert row_versions(world) == before


def test_only_the_account_that_changes_is_waited_for(world: World, load: Callable[[str], LoadedAccounts]) -> None:
    load(FILE)
    with world.begin() as session, world.impatient():
        lock_account(session, SECOND)
        assert load(FILE.replace("Nordwind GmbH", "Nordwind AG")).changed == ["nordwind"]
    assert names(world) == ["Nordwind AG", "Südwind GmbH"]


def test_accounts_are_locked_in_the_order_of_their_ids_whatever_that_of_the_file(
    world: World, load: Callable[[str], LoadedAccounts]
) -> None:
    load(FILE)
    with ThreadPoolExecutor(1) as another:
        with world.begin() as session:
            lock_account(session, FIRST)
            loading = another.submit(load, RENAMED)
            until_it_waits_for(session, loading)
            assert not loading.done()
            session.execute(text("set local lock_timeout = '50ms'"))
            lock_account(session, SECOND)
        assert loading.result().changed == ["suedwind", "nordwind"]


def test_two_files_with_the_same_new_accounts_in_another_order_are_both_loaded(
    world: World, read: Callable[[str], AccountsFile], load: Callable[[str], LoadedAccounts]
) -> None:
    head, (suedwind, nordwind) = "accounts:\n", FILE.removeprefix("accounts:\n").split("  nordwind:")
    says = Says("0 of 2 accounts written", lambda: load(f"{head}  nordwind:{nordwind}{suedwind}"))
    assert accounts_loading.load(read(FILE), says).new == ["suedwind", "nordwind"]
    assert names(world) == ["Nordwind GmbH", "Südwind GmbH"]


def test_what_was_written_before_others_held_an_account_is_kept_and_counted_and_the_rest_follows(
    world: World,
    load: Callable[[str], LoadedAccounts],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(accounts_writing, "PORTION", 1)
    monkeypatch.setattr(failures, "_database", lambda: "db:5432/prorata")
    load(FILE)
    for held, kept, so_far in (
        (FIRST, "Nothing was changed.", ["Nordwind GmbH", "Südwind GmbH"]),
        (SECOND, "1 of 2 accounts are written; load the file again for the rest.", ["Nordwind AG", "Südwind GmbH"]),
    ):
        with world.begin() as session, world.impatient():
            lock_account(session, held)
            assert failures.run(lambda: load(RENAMED)) == 3
        assert capsys.readouterr().err == (
            f"Not finished: other transactions hold the same rows in db:5432/prorata. {kept} Try again later.\n"
        )
        assert names(world) == so_far
    assert load(RENAMED).changed == ["suedwind"]
    assert names(world) == ["Nordwind AG", "Südwind AG"]


def test_whoever_is_erased_after_the_file_was_checked_stays_so(
    world: World, read: Callable[[str], AccountsFile], load: Callable[[str], LoadedAccounts]
) -> None:
    load(FILE)
    says = Says("0 of 2 accounts written", lambda: erasure.erase("bernd@nordwind.example", by="bob", why="asked"))
    with pytest.raises(FileRefused, match=r"bernd@nordwind\.example was erased on 2026-11-01") as refused:
        accounts_loading.load(read(RENAMED), says)
    assert not isinstance(refused.value, LoadedInPart)
    assert names(world) == ["Nordwind GmbH", "Südwind GmbH"]
    assert len(world.rows(Contact, email="bernd@nordwind.example")) == 0


def test_what_was_written_before_a_person_was_erased_is_said(
    world: World,
    read: Callable[[str], AccountsFile],
    load: Callable[[str], LoadedAccounts],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accounts_writing, "PORTION", 1)
    load(FILE)
    says = Says("1 of 2 accounts written", lambda: erasure.erase("carla@suedwind.example", by="bob", why="asked"))
    with pytest.raises(LoadedInPart, match=r"\nLoaded all the same: 1 of 2 accounts\. Fix the file"):
        accounts_loading.load(read(RENAMED), says)
    assert names(world) == ["Nordwind AG", "Südwind GmbH"]


def test_what_a_customer_has_changed_since_the_check_is_compared_again(
    world: World, read: Callable[[str], AccountsFile], load: Callable[[str], LoadedAccounts]
) -> None:
    load(FILE)

    def rename() -> None:
        with world.begin() as session:
            session.execute(update(Account).where(Account.id == FIRST).values(name="Nordwind SE", postcode="20457"))

    accounts_loading.load(read(RENAMED), Says("0 of 2 accounts written", rename))
    assert names(world) == ["Nordwind AG", "Südwind AG"]
    assert [account.postcode for account in world.rows(Account, id=FIRST)] == ["20457"]


def test_a_long_file_says_how_far_it_is(
    world: World, read: Callable[[str], AccountsFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts_writing, "PORTION", 1)
    says = Says()
    accounts_loading.load(
        read(FILE.replace("    name: Nord", "    payment_method: pm_card_visa\n    name: Nord")), says
    )
    assert says.said == [
        *("0 of 2 accounts checked", "1 of 2 accounts checked"),
        *("0 of 2 accounts written", "1 of 2 accounts written", "0 of 1 cards done"),
    ]


def test_one_who_erases_a_person_locks_accounts_in_the_same_order(
    world: World, load: Callable[[str], LoadedAccounts]
) -> None:
    load(FILE.replace("carla@suedwind", "anna@nordwind"))
    with ThreadPoolExecutor(1) as another:
        with world.begin() as session:
            lock_account(session, FIRST)
            erasing = another.submit(erasure.erase, "anna@nordwind.example", by="bob", why="asked")
            until_it_waits_for(session, erasing)
            session.execute(text("set local lock_timeout = '50ms'"))
            lock_account(session, SECOND)
        assert len(erasing.result().rows["contacts"]) == 2


def test_a_card_that_the_customer_gives_while_theirs_is_stored_is_kept(
    world: World, load: Callable[[str], LoadedAccounts], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = payment_details.store

    def as_the_customer_gives_another(account_id: UUID, token: str) -> StoredPaymentMethod:
        stored = store(account_id, token)
        monkeypatch.setattr(payment_details, "store", store)
        payment_details.attach(account_id, "pm_card_mastercard")
        return stored

    monkeypatch.setattr(payment_details, "store", as_the_customer_gives_another)
    load(FILE.replace("    contacts: [{name: Carla", "    payment_method: pm_card_visa\n    contacts: [{name: Carla"))
    assert [(method.brand, method.status) for method in world.rows(PaymentMethod)] == [
        ("mastercard", PaymentMethodStatus.USABLE)
    ]
