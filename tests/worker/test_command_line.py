"""What goes wrong with `prorata` is one clear message and an exit status, never a traceback."""

import asyncio
import json
import os
import re
import socket
import stat
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from psycopg.errors import UndefinedTable
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from models.states import OrderStatus, Step
from tasks.errors import Misconfigured, TemporarilyUnavailable
from tasks.upstream.api_keys import Scope
from tests.support.command import SETTINGS, Command, Ended, prorata_at_a_terminal, prorata_of_its_own
from tests.worker.test_database import set_default
from tests.worker.test_upgrading import set_to
from worker import server_urls
from worker.commands import failures, place, process
from worker.drill.buying import Bought, Shop
from worker.drill.ground import Customer
from worker.drill.kinds import KINDS
from worker.drill.watch import Watch

HERE = {"drill", "drill storm"}
"""of what works in a folder; the others become another program, or take over the process's signals"""


def test_a_database_that_is_not_there_is_named_without_its_password() -> None:
    ended = prorata_of_its_own("orders", "list", **SETTINGS)
    assert ended.status == 3
    assert ended.err.startswith("The database at 127.0.0.1:1/nothing does not answer (PRORATA_DATABASE_URL): ")
    assert "secret" not in ended.err
    assert "Traceback" not in ended.err


def test_a_database_without_tables_says_what_to_run(prorata: Command, fresh_database_url: str) -> None:
    empty = fresh_database_url.rpartition("/")[0] + "/postgres"
    ended = prorata("orders", "list", **SETTINGS | {"PRORATA_DATABASE_URL": empty})
    assert ended.status == 3
    assert "is not up to date; run `prorata db upgrade`" in ended.err


def test_a_database_without_tables_is_told_so_in_any_language_of_its_server(capsys: pytest.CaptureFixture[str]) -> None:
    def ask() -> None:
        raise ProgrammingError("SELECT 1 FROM orders", {}, UndefinedTable("FEHLER: Relation »orders« existiert nicht"))

    assert failures.run(ask) == 3
    assert "is not up to date; run `prorata db upgrade`: FEHLER: Relation »orders« existiert" in capsys.readouterr().err


def test_a_database_that_was_never_made_is_not_said_to_be_silent(prorata: Command, fresh_database_url: str) -> None:
    nowhere = fresh_database_url.rpartition("/")[0] + "/nowhere"
    ended = prorata("db", "upgrade", **SETTINGS | {"PRORATA_DATABASE_URL": nowhere})
    assert ended.status == 3
    assert re.search(
        r"^The server has no database \S+/nowhere \(PRORATA_DATABASE_URL\): create an empty one", ended.err
    )


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("keys revoke M?ller", "NAME"),
        ("accounts list M?ller", "TEXT"),
        ("ledger show M?ller", "ACCOUNT"),
        ("invoices paid M?ller --on 2026-11-30", "NUMBER"),
        ("orders resume --all-parked --error-contains M?ller", "--error-contains"),
        ("worker-health --host M?ller", "--host"),
    ],
)
def test_bytes_that_are_not_utf8_are_refused_with_where_they_stand(prorata: Command, asked: str, name: str) -> None:
    """As a terminal in Latin-1 hands over a letter."""
    ended = prorata(*asked.replace("?", "\udcfc").split(), **SETTINGS)
    assert (ended.status, ended.out) == (2, "")
    assert f"Invalid value for '{name}': M?ller is not UTF-8" in re.sub(r"[\s│]+", " ", ended.err)


def test_a_reason_and_a_file_may_have_such_bytes(prorata: Command, tmp_path: Path) -> None:
    cancelled = prorata("orders", "cancel", "1001", "--why", "zur\udcfck", **SETTINGS)
    assert (cancelled.status, "does not answer" in cancelled.err) == (3, True)
    nowhere = prorata_of_its_own("catalogue", "load", str(tmp_path / "M\udcfcller"))
    assert (nowhere.status, "not UTF-8" in nowhere.err) == (1, False)


@pytest.mark.parametrize("words", [("db", "upgrade"), ("catalogue", "load", "api_stub/sample/catalogue.yaml")])
def test_a_database_that_takes_no_writes_is_said_to_take_none(
    prorata: Command, fresh_database_url: str, words: tuple[str, ...]
) -> None:
    url = fresh_database_url
    set_to(url, "0009")
    set_default(url, "default_transaction_read_only", "on")
    ended = prorata(*words, **SETTINGS | {"PRORATA_DATABASE_URL": url})
    assert (ended.status, ended.out) == (3, "")
    assert ended.err.startswith(
        f"The database at {server_urls.name(url)} takes no writes (PRORATA_DATABASE_URL): cannot execute "
    )


@pytest.mark.parametrize("asked", ["ledger verify", "ledger reconcile --json", "orders list"])
def test_no_answer_is_told_from_bad_news(prorata: Command, asked: str) -> None:
    """A program that watches the books must not take a database or a provider that is away for books that differ."""
    ended = prorata(*asked.split(), **SETTINGS | {"PRORATA_STRIPE_API_BASE": "http://127.0.0.1:1"})
    assert (ended.status, ended.out) == (3, "")
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "error",
    [
        TemporarilyUnavailable("Stripe: cannot be reached"),
        Misconfigured("Stripe: invalid API key"),
        NoConnectionFree("QueuePool limit reached"),
    ],
)
def test_whoever_could_not_be_asked_is_told_from_bad_news(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise error

    assert failures.run(fails) == 3
    assert "Traceback" not in capsys.readouterr().err


def test_a_bad_catalogue_is_refused_before_anything_is_needed(prorata: Command, tmp_path: Path) -> None:
    file = tmp_path / "catalogue.yaml"
    file.write_text("products:\n  board: {name: Board}\n")
    ended = prorata("catalogue", "load", str(file))
    assert (ended.status, ended.err) == (1, f"{file}:2: products.board: tiers is missing\n")


def test_a_file_that_is_not_there_has_no_line(prorata: Command, tmp_path: Path) -> None:
    ended = prorata("catalogue", "load", str(tmp_path / "nowhere"))
    assert (ended.status, ended.err) == (1, f"{tmp_path / 'nowhere'}: cannot be read: No such file or directory\n")


def test_a_program_reads_which_version_of_the_catalogue_it_loaded(prorata: Command, fresh_database_url: str) -> None:
    there = SETTINGS | {"PRORATA_DATABASE_URL": fresh_database_url}
    for is_new in (True, False):
        ended = prorata("catalogue", "load", "api_stub/sample/catalogue.yaml", "--json", **there)
        told = json.loads(ended.out)
        assert (ended.status, told["version"], told["is_new"]) == (0, 1, is_new)


def test_a_command_does_not_load_the_others() -> None:
    """They take two seconds, and a worker or the API would keep their memory."""
    program = "import sys; from worker.cli import main\ntry: main(['worker', '--help'])\nfinally: print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=240)
    loaded = set(ended.stdout.split())
    assert "worker.commands.process" in loaded
    assert loaded.isdisjoint({"worker.commands.drill", "worker.commands.orders", "worker.drill.crash", "fontTools"})


@pytest.mark.parametrize("what", ["catalogue", "accounts"])
def test_a_file_may_come_by_standard_input_whatever_that_is(what: str) -> None:
    """A socket, like a pipe that another user made, cannot be opened by the name /dev/stdin."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"products: {board: {}}\naccounts: {nordwind: {}}\n")
        ours.shutdown(socket.SHUT_WR)
        command = [sys.executable, "-m", "worker.entry", what, "load", "/dev/stdin"]
        ended = subprocess.run(command, stdin=theirs.fileno(), capture_output=True, text=True, check=False, timeout=240)
    assert ended.returncode == 1
    assert "is missing" in ended.stderr
    assert {line.partition(":")[0] for line in ended.stderr.splitlines()} == {"/dev/stdin"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["wrker"], "Did you mean 'worker'?"),
        (["orders", "lst"], "Did you mean 'list'?"),
        (["worker", "coffee"], "coffee"),
        (["worker", "orders", "--concurrency", "0"], "concurrency"),
        (["worker", "--queues", "nope"], "no queue 'nope'"),
        (["worker", "--queues", "orders,,mail"], "no queue ''"),
        (["orders", "list", "--status", "lost"], "lost"),
        (["orders", "resume", "1001", "--from", "step_nine"], "step_nine"),
        (["orders", "refund", "1001"], "--why"),
        (["orders", "refund", "1001", "--why", " "], "--why"),
        (["orders", "refunded-outside", "1001"], "--why"),
        (["orders", "refunded-outside", "1001", "--why", ""], "--why"),
        (["orders", "show"], "ORDER"),
        (["orders", "resume"], "--all-parked"),
        (["orders", "resume", "1001", "--all-parked"], "--all-parked"),
        (["orders", "resume", "--all-parked", "--from", "validate_cart"], "--from"),
        (["orders", "resume", "1001", "--error-contains", "key"], "--error-contains"),
        (["drill", "--json", "storm"], "after the word storm"),
        (["drill", "--rounds", "3", "storm", "--json"], "after the word storm"),
        (["api", "--port", "eighty"], "--port"),
        (["nonsense"], "nonsense"),
    ],
)
def test_a_wrong_word_is_named(prorata: Command, words: list[str], said: str) -> None:
    ended = prorata(*words, **SETTINGS)
    assert ended.status == 2
    assert said in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["worker", "--queues", " orders, payments"], "--queues=orders,payments"),
        (["worker", "mail"], "--queues=mail"),
        (["beat"], "--pidfile="),
    ],
)
def test_what_a_process_is_told_reaches_celery(
    prorata: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str], option: str
) -> None:
    became: list[str] = []
    monkeypatch.setattr(process, "_become", became.extend)
    monkeypatch.chdir(tmp_path)
    assert prorata(*words, **SETTINGS).status == 0
    assert option in became


def test_the_version_is_the_packages() -> None:
    ended = prorata_of_its_own("--version")
    assert (ended.status, ended.out, ended.err) == (0, f"{version('prorata')}\n", "")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("orders list", "No orders yet: an upstream places them with its API key (prorata keys issue NAME).\n"),
        ("orders list --status open", "No order is open.\n"),
        ("orders list --status needs_attention", "No order needs attention.\n"),
        ("orders list --status open --status needs_attention", "No order is open or needs attention.\n"),
        ("accounts list", "No accounts yet: prorata accounts load FILE.\n"),
        ("accounts list somebody", "There is no such account.\n"),
        ("keys list", "No keys: nobody can come in. To let an upstream in: prorata keys issue NAME.\n"),
        ("invoices open", "Nothing is owed.\n"),
        ("ledger verify", "Everything agrees.\n"),
    ],
)
def test_where_there_is_nothing_a_sentence_says_so_and_a_program_reads_an_empty_list(
    prorata: Command, fresh_database_url: str, asked: str, said: str
) -> None:
    there = SETTINGS | {"PRORATA_DATABASE_URL": fresh_database_url}
    assert prorata(*asked.split(), **there) == Ended(0, said, "")
    assert prorata(*asked.split(), "--json", **there) == Ended(0, "[]\n", "")


@pytest.mark.parametrize("which", ["99", "99999999999999999999", "nothing"])
def test_an_unknown_order_is_said_to_be_unknown(prorata: Command, fresh_database_url: str, which: str) -> None:
    ended = prorata("orders", "show", which, **SETTINGS | {"PRORATA_DATABASE_URL": fresh_database_url})
    assert ended.status == 2
    assert which in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "asked",
    [
        "orders list --account nobody",
        "ledger show nobody",
        "ledger verify --account nobody",
        "keys issue shop --account nobody",
    ],
)
def test_nothing_is_said_of_an_unknown_account_but_that_it_is_unknown(
    prorata: Command, fresh_database_url: str, asked: str
) -> None:
    ended = prorata(*asked.split(), **SETTINGS | {"PRORATA_DATABASE_URL": fresh_database_url})
    assert (ended.status, ended.out, ended.err) == (2, "", "there is no account nobody\n")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("keys show nobody", "there is no key called 'nobody'\n"),
        ("keys revoke nobody", "there is no valid key called 'nobody'\n"),
        (
            "invoices paid INV-2026-099999",
            "there is no invoice INV-2026-099999 yet: its series has no number in that year\n",
        ),
        ("invoices unpaid 4711 --why error", "4711 is no number of an invoice: they look like INV-2026-000001\n"),
    ],
)
def test_whatever_is_unknown_is_told_from_what_is_refused(
    prorata: Command, fresh_database_url: str, asked: str, said: str
) -> None:
    ended = prorata(*asked.split(), **SETTINGS | {"PRORATA_DATABASE_URL": fresh_database_url})
    assert (ended.status, ended.out, ended.err) == (2, "", said)


@pytest.mark.parametrize("asked", ["orders list --account", "ledger verify --account"])
def test_an_empty_account_is_not_every_account(prorata: Command, fresh_database_url: str, asked: str) -> None:
    """As an unset variable of a shell gives it."""
    ended = prorata(*asked.split(), "", **SETTINGS | {"PRORATA_DATABASE_URL": fresh_database_url})
    assert (ended.status, ended.out, ended.err) == (2, "", "there is no account ''\n")


def test_an_empty_queue_is_not_every_queue(prorata: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_become", pytest.fail)
    ended = prorata("worker", "--queues", "", **SETTINGS)
    assert ended.status == 2
    assert "there is no queue ''" in ended.err


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_folder_that_cannot_be_is_refused_before_anything_starts(command: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    ended = prorata_of_its_own(command, "--folder", str(file / "below"))
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == f"{file / 'below'} cannot be created: Not a directory; name another folder with --folder\n"


@pytest.mark.parametrize("command", ["demo", "drill", "drill storm"])
def test_what_needs_a_new_folder_says_what_to_do_with_that_of_an_earlier_run(
    prorata: Command, command: str, tmp_path: Path
) -> None:
    (tmp_path / "postgres").mkdir()
    ended = (prorata if command in HERE else prorata_of_its_own)(*command.split(), "--folder", str(tmp_path))
    said = f"{tmp_path} holds the data of an earlier run: delete it, or name another folder with --folder\n"
    assert (ended.status, ended.out, ended.err) == (1, "", said)


@pytest.mark.parametrize("command", ["up", "demo", "drill", "drill storm"])
def test_a_folder_that_others_may_write_in_is_refused(prorata: Command, command: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    ended = (prorata if command in HERE else prorata_of_its_own)(*command.split(), "--folder", str(tmp_path))
    said = f"{tmp_path} can be written to by others; name a folder of your own with --folder\n"
    assert (ended.status, ended.out, ended.err) == (1, "", said)


def test_what_lies_in_a_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    old.chmod(0o775)
    before = os.umask(0o022)
    try:
        folder = place.usable(tmp_path / "new")
        (folder / "letters").touch()
        assert stat.S_IMODE(place.usable(old).stat().st_mode) == 0o700
    finally:
        os.umask(before)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (folder, folder / "letters")] == [0o700, 0o600]


def test_a_drill_that_gives_up_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    async def quote_where_no_api_is() -> None:
        async with httpx.AsyncClient(base_url="http://127.0.0.1:1", trust_env=False) as http:
            shop = Shop(http, Watch(pytest.fail), deadline=time.monotonic())
            await shop.quote(Bought(Customer(uuid4(), uuid4(), KINDS[0])), KINDS[0].cart)

    assert failures.run(lambda: asyncio.run(quote_where_no_api_is())) == 1
    assert capsys.readouterr().err == "the API has not taken POST /v1/quotes in time: ConnectError\n"


@pytest.mark.parametrize(
    ("words", "whole"),
    [
        ("orders list --help", list(OrderStatus)),
        ("orders resume --help", list(Step)),
        ("keys issue --help", list(Scope)),
        ("ledger reconcile --help", ["2026-11-01T14:30"]),
    ],
)
def test_help_breaks_no_word_that_can_be_given(words: str, whole: list[str]) -> None:
    said = {word.strip(",;:") for word in prorata_at_a_terminal(80, *words.split(), **SETTINGS).split()}
    assert set(whole) <= said
