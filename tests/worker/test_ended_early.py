"""Commands that work in several transactions, when they are interrupted or the payment provider fails: they say what is kept."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from models import migrations
from models.account_lock import lock_account
from models.accounts import Account, PaymentMethod
from models.order_lock import lock_order
from models.states import OrderStatus
from tests.support.command import SETTINGS, Command, interruptible
from tests.support.first_process import AS_FIRST_PROCESS, first_process
from tests.support.stand_in_process import ROOT
from tests.support.stripe_stand_in import API_KEY
from tests.support.waiting import until_it_waits_for
from tests.support.world import World, purchase
from worker.embedded import PostgresServer
from worker.loading import accounts_file, accounts_loading
from worker.loading.accounts_file import account_id
from worker.loading.accounts_writing import PORTION

LOADED = "The accounts, their contacts and balances are loaded; load the file again for the rest."


def listing(folder: Path, codes: Sequence[str], *, form: str, card: str | None = None) -> Path:
    file = folder / "accounts.yaml"
    pays = f", payment_method: {card}" if card else ""
    entries = [f"  {code}: {{name: {form}, country: DE, currency: EUR, contacts: []{pays}}}\n" for code in codes]
    file.write_text(f"accounts:\n{''.join(entries)}")
    return file


def started(world: World, database_url: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        interruptible(*words),
        env=os.environ | settings(world, database_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def settings(world: World, database_url: str, **others: str) -> dict[str, str]:
    servers = {"DATABASE_URL": database_url, "STRIPE_API_BASE": world.stripe.url, "STRIPE_API_KEY": API_KEY} | others
    return SETTINGS | {f"PRORATA_{name}": value for name, value in servers.items()}


def test_interrupted_while_it_writes_a_load_says_how_many_accounts_are_written(
    world: World, world_database_url: str, tmp_path: Path
) -> None:
    codes = sorted((f"account-{number}" for number in range(PORTION + 1)), key=account_id)
    accounts_loading.load(accounts_file.read(listing(tmp_path, codes, form="GmbH")))
    loading = started(world, world_database_url, "accounts", "load", str(listing(tmp_path, codes, form="AG")))
    with ThreadPoolExecutor() as pool, world.begin() as session:
        lock_account(session, account_id(codes[-1]))
        ended = pool.submit(loading.communicate)
        until_it_waits_for(session, ended)
        loading.send_signal(signal.SIGINT)
        assert ended.result() == (
            "",
            "Interrupted. 200 of 201 accounts are written; load the file again for the rest.\n",
        )
    assert (loading.returncode, len(world.rows(Account, name="AG"))) == (130, 200)


def test_interrupted_while_it_stores_cards_a_load_says_that_the_accounts_are_loaded(
    world: World, world_database_url: str, tmp_path: Path
) -> None:
    codes = ["first", "second"]
    accounts_loading.load(accounts_file.read(listing(tmp_path, codes, form="GmbH")))
    file = listing(tmp_path, codes, form="GmbH", card="pm_card_visa")
    loading = started(world, world_database_url, "accounts", "load", str(file))
    with ThreadPoolExecutor() as pool, world.begin() as session:
        lock_account(session, account_id("second"))
        ended = pool.submit(loading.communicate)
        until_it_waits_for(session, ended)
        loading.send_signal(signal.SIGINT)
        assert ended.result() == ("", f"Interrupted. {LOADED}\n")
    assert loading.returncode == 130
    assert [method.account_id for method in world.rows(PaymentMethod)] == [account_id("first")]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"STRIPE_API_BASE": "http://127.0.0.1:1"}, "Stripe: .*; try again later"),
        ({"STRIPE_API_KEY": "sk_test_other"}, "Stripe refuses our API key, see PRORATA_STRIPE_API_KEY: .*"),
    ],
)
def test_without_the_payment_provider_a_load_says_that_the_accounts_are_loaded(
    world: World, prorata: Command, world_database_url: str, tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    file = listing(tmp_path, ["first"], form="GmbH", card="pm_card_visa")
    ended = prorata("accounts", "load", str(file), **settings(world, world_database_url, **wrong))
    assert (ended.status, ended.out) == (3, "")
    assert re.fullmatch(rf"{said}\. {re.escape(LOADED)}\n", ended.err)
    assert len(world.rows(Account, name="GmbH")) == 1


def test_interrupted_between_orders_resuming_all_says_how_many_were_resumed(
    world: World, world_database_url: str
) -> None:
    first, second = (world.place(world.customer(), purchase()) for _ in range(2))
    for each in (first, second):
        world.park(each)
    resuming = started(world, world_database_url, "orders", "resume", "--all-parked", "--by", "ops")
    with ThreadPoolExecutor() as pool, world.begin() as session:
        lock_order(session, second)
        ended = pool.submit(resuming.communicate)
        until_it_waits_for(session, ended)
        resuming.send_signal(signal.SIGINT)
        assert ended.result() == ("", "Interrupted. Resumed before that: 1.\n")
    assert resuming.returncode == 130
    assert [world.order(each).status for each in (first, second)] == [OrderStatus.OPEN, OrderStatus.NEEDS_ATTENTION]


@pytest.mark.parametrize(
    ("direction", "start", "end", "kept"),
    [
        ("upgrade", "0012", "0016", "Each migration that was done stays done."),
        ("downgrade", "0016", "0012", "A downgrade is all or nothing."),
    ],
)
def test_interrupted_an_upgrade_says_that_what_was_done_stays_and_a_downgrade_that_nothing_is_done_by_halves(
    world: World, postgres_server: PostgresServer, direction: str, start: str, end: str, kept: str
) -> None:
    url = postgres_server.create_database(f"interrupted-{direction}")
    migrations.upgrade(url, start)
    engine = create_engine(url)
    yes = ["--yes"] if direction == "downgrade" else []
    with engine.connect() as other:
        other.execute(text("LOCK TABLE orders, support_cases IN ACCESS SHARE MODE"))
        changing = started(world, url, "db", direction, end, *yes)
        assert changing.stderr is not None
        assert changing.stderr.readline().startswith("Others are using a table")
        changing.send_signal(signal.SIGINT)
        _, err = changing.communicate()
    assert err.splitlines()[-1] == f"Interrupted. {kept}"
    assert changing.returncode == 130
    engine.dispose()


INTERRUPTED_BY_ITS_FIRST_IMPORT = """
import os, signal
os.kill(os.getpid(), signal.SIGINT)
"""
BEGINS = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
import tomllib
from pathlib import Path
from pkgutil import resolve_name
resolve_name(tomllib.loads(Path("pyproject.toml").read_text())["project"]["scripts"]["prorata"])()
"""


def test_interrupted_while_it_is_still_imported_a_command_says_so_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text(INTERRUPTED_BY_ITS_FIRST_IMPORT)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    ended = subprocess.run(
        [sys.executable, "-c", BEGINS, "settings"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "Interrupted.\n")


@first_process
@pytest.mark.parametrize(("module", "imports"), [("worker.entry", "typer"), ("worker.celery_command", "celery")])
def test_told_to_end_while_it_is_still_imported_a_first_process_ends(module: str, imports: str, tmp_path: Path) -> None:
    (tmp_path / f"{imports}.py").write_text(INTERRUPTED_BY_ITS_FIRST_IMPORT.replace("SIGINT", "SIGTERM"))
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    command = [*AS_FIRST_PROCESS, sys.executable, "-m", module]
    ended = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, timeout=240, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (143, b"", b"")


TOLD_TO_END_WHILE_IT_BECOMES_BEAT = """
import os, signal
from worker.command_lines import beat_command
from worker.commands import process
def told_to_end(*command, become=os.execv):
    os.kill(os.getpid(), signal.SIGTERM)
    become(*command)
os.execv = told_to_end
process._become(beat_command())
"""


@first_process
def test_told_to_end_while_it_becomes_another_program_a_first_process_ends() -> None:
    command = [*AS_FIRST_PROCESS, sys.executable, "-c", TOLD_TO_END_WHILE_IT_BECOMES_BEAT]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=240, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (143, b"", b"")
