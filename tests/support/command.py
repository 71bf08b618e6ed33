"""The `prorata` command as a shell would call it, and settings that are enough for it."""

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from typer.testing import CliRunner, Result

from tasks import wiring
from tests.support.forked_command import run_forked
from tests.support.stripe_stand_in import API_KEY
from tests.support.world import World
from worker import cli, environment
from worker.commands import orders
from worker.wiring import process_engine

SETTINGS = {
    "PRORATA_DATABASE_URL": "postgresql+psycopg://nobody:secret@127.0.0.1:1/nothing",
    "PRORATA_BROKER_URL": "redis://:secret@127.0.0.1:1/0",
    "PRORATA_STRIPE_API_KEY": "sk_test_secret",
    "PRORATA_STRIPE_WEBHOOK_SECRET": "whsec_secret",
    "PRORATA_SMTP_HOST": "127.0.0.1",
}

PRODUCTION = SETTINGS | {
    "PRORATA_ENVIRONMENT": "production",
    "PRORATA_STRIPE_API_KEY": "sk_live_secret",
    "PRORATA_SELLER_NAME": "Kanban SAS",
    "PRORATA_SELLER_COUNTRY": "FR",
    "PRORATA_SELLER_ADDRESS": "1 rue de la Paix, 75002 Paris",
    "PRORATA_SELLER_VAT_NUMBER": "FR40303265045",
    "PRORATA_SELLER_BANK_ACCOUNT": "FR76 3000 6000 0112 3456 7890 189",
    "PRORATA_MAIL_FROM": "billing@kanban.example",
    "PRORATA_SUPPORT_EMAIL": "help@kanban.example",
    "PRORATA_PUBLIC_URL": "https://billing.kanban.example",
    "PRORATA_CORPORATE_PORTAL_URL": "https://corporate.kanban.example",
    "PRORATA_STRIPE_WEBHOOK_SECRET": "whsec_secret_of_the_endpoint",
}


def orders_command(*words: object) -> Result:
    """`prorata orders WORDS`, in this process."""
    return CliRunner().invoke(orders.orders, [str(word) for word in words])


def without_log(printed: str) -> str:
    """What a command prints that is run here, where the log is beside it."""
    lines = printed.splitlines(keepends=True)
    return "".join(line for line in lines if not re.match(r"\d{4}-\d\d-\d\d \d\d:", line))


def of_a_worker(world: World, *, database: str, broker: str) -> dict[str, str]:
    """The environment of a worker that is a process of its own, with the stand-ins of `world` to ask; both are URLs."""
    servers = {
        "PRORATA_DATABASE_URL": database,
        "PRORATA_BROKER_URL": broker,
        "PRORATA_STRIPE_API_BASE": world.stripe.url,
        "PRORATA_STRIPE_API_KEY": API_KEY,
        "PRORATA_SMTP_HOST": world.mailbox.host,
        "PRORATA_SMTP_PORT": str(world.mailbox.port),
        "PRORATA_SMTP_TLS": "none",
    }
    return os.environ | SETTINGS | servers


@dataclass(frozen=True, slots=True)
class Ended:
    status: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def prorata(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """The command in this process, which has imported everything already; what it sets for the process is undone at the end.

    Except logging, which cannot be undone (loggers keep what they began with), and would end other tests' reading of it: it is left out.
    """
    if wiring._wiring is not None:  # else it stays: the thread that renews leases needs one as long as the process runs
        monkeypatch.setattr(wiring, "_wiring", wiring._wiring)
    monkeypatch.setattr(cli, "set_up_logging", lambda: None)
    umask = os.umask(0o077)
    os.umask(umask)

    def prorata(*words: str, **chosen: str) -> Ended:
        for name in os.environ:
            if name.startswith("PRORATA_"):
                monkeypatch.delenv(name)
        for name, value in chosen.items():
            monkeypatch.setenv(name, value)
        _forget()
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        captured = capsys.readouterr()
        return Ended(int(ended.value.code or 0), captured.out, captured.err)

    yield prorata
    os.umask(umask)
    _forget()


@pytest.fixture
def plugged_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands called in this process work on `world`, and print for 200 columns."""
    for name, module in list(sys.modules.items()):
        if name.startswith("worker.commands.") and hasattr(module, "plug_in_from_settings"):
            monkeypatch.setattr(module, "plug_in_from_settings", lambda: None)
    monkeypatch.setenv("COLUMNS", "200")


def _forget() -> None:
    for read in (
        environment.settings,
        environment.server_settings,
        environment.database_settings,
        environment.broker_settings,
    ):
        read.cache_clear()
    if process_engine.cache_info().currsize:
        process_engine().dispose()
    process_engine.cache_clear()


def prorata_command(*words: str) -> list[str]:
    return [sys.executable, "-m", "worker.entry", *words]


def interruptible(*words: str) -> list[str]:
    """The same, where whoever runs the tests may have SIGINT ignored, which stays so in a child."""
    return [sys.executable, "-c", _INTERRUPTIBLE, *words]


_INTERRUPTIBLE = """
import signal
from worker.entry import main
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
"""


def prorata_of_its_own(*words: str, **chosen: str) -> Ended:
    """The command in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PRORATA_")}
    with Path(os.devnull).open() as nothing, TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        streams = {"stdin": nothing.fileno(), "stdout": out.fileno(), "stderr": err.fileno()}
        status = run_forked(words, env=clean | chosen, **streams)
        out.seek(0)
        err.seek(0)
        return Ended(status, out.read(), err.read())


def prorata_at_a_terminal(columns: int, *words: str, **chosen: str) -> str:
    """What a person sees who calls the command in a terminal of so many columns; the colours are left out."""
    return _at_a_terminal(columns, words, chosen)


def prorata_at_a_terminal_into(file: Path, columns: int, *words: str, **chosen: str) -> str:
    """The same where standard output goes to a file."""
    return _at_a_terminal(columns, words, chosen, into=file)


def _at_a_terminal(columns: int, words: Sequence[str], chosen: Mapping[str, str], *, into: Path | None = None) -> str:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PRORATA_", "COLUMNS"))}
    env = inherited | {"TERM": "xterm"} | dict(chosen)
    with ThreadPoolExecutor(1) as reader, into.open("wb") if into else nullcontext() as file:
        reading = reader.submit(lambda: b"".join(iter(lambda: _read(ours), b"")))
        run_forked(words, env=env, stdin=theirs, stdout=file.fileno() if file else theirs, stderr=theirs)
        os.close(theirs)
        seen = reading.result()
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode()).replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    """Linux says by an error that nobody writes there any more."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
