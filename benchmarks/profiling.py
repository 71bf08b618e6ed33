"""Where Prorata's processor time goes, step by step: py-spy looks at the three workers a hundred times a second during a burst.

Only what runs is counted, never what waits. A sample belongs to the step on its stack (none: Celery itself) and to the library
of its innermost known frame; milliseconds are the worker's processor time per order, shared out by samples.
"""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import usage
from benchmarks.contestants import PEERS
from benchmarks.servers import Servers
from benchmarks.turn import started
from models.states import FORWARD

WORKERS = ("worker-orders", "worker-payments", "worker-mail")
BETWEEN = "between steps"
RATE = 100

LIBRARIES = {
    "PDF": r"reportlab|tasks/documents|invoice_pdf",
    "Stripe SDK": r"/(stripe|requests|urllib3)/|adapters/stripe|http/client",
    "letters": r"/(jinja2|babel)/|tasks/(letters|locales)|gettext",
    "SMTP and MIME": r"smtplib|/email/|adapters/(smtp|mime)|email_validator|/idna/|base64|quopri",
    "psycopg": r"/psycopg",
    "SQLAlchemy": r"/sqlalchemy/",
    "logging": r"/structlog/|/logging/|/rich/",
    "Celery": r"/(celery|kombu|billiard|vine|amqp)/",
    "Redis client": r"/redis/",
    "retries": r"/tenacity/",
    "our own code": r"/(models|tasks|worker)/|^(models|tasks|worker)/",
}
"""by a pattern in the frame's file; the innermost frame that matches any decides"""

_FRAME = re.compile(r"(?P<function>.*) \((?P<file>.*?)(:\d+)?\)$")


@dataclass(frozen=True, slots=True)
class Profile:
    milliseconds: dict[tuple[str, str], float]
    """per order, by step and library"""
    functions: Counter[str]
    """samples by innermost function of ours or of a library"""


def take(servers: Servers, scratch: Path, *, orders: int) -> Profile:
    with started(PEERS["prorata"], servers, scratch / "profile") as it:
        it.driver.prepare(20)
        it.driver.burst(20)
        it.driver.prepare(orders)
        pids = {name: it.own[name] for name in WORKERS}
        before = usage.processor(pids)
        with ExitStack() as exits:
            files = {name: exits.enter_context(_watching(pid, scratch / f"{name}.raw")) for name, pid in pids.items()}
            it.driver.burst(orders)
        spent = usage.processor(pids).since(before)
    milliseconds: Counter[tuple[str, str]] = Counter()
    functions: Counter[str] = Counter()
    for name, file in files.items():
        samples = list(_samples(file))
        total = sum(number for _, number in samples) or 1
        for stack, number in samples:
            milliseconds[_step(stack), _library(stack)] += spent[name] * 1000 / orders * number / total
            functions[_innermost(stack)] += number
    return Profile(dict(milliseconds), functions)


@contextmanager
def _watching(pid: int, file: Path) -> Iterator[Path]:
    spy = [str(Path(sys.executable).with_name("py-spy")), "record", "--subprocesses", "--format=raw"]
    with file.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            [*spy, f"--rate={RATE}", f"--pid={pid}", f"--output={file}", "--duration=unlimited"], stdout=log, stderr=log
        )
    try:
        yield file
    finally:
        process.send_signal(2)
        process.wait(timeout=60)


def _samples(file: Path) -> Iterator[tuple[list[str], int]]:
    """Stacks, outermost frame first, each with how often it was seen."""
    for line in file.read_text().splitlines():
        stack, _, number = line.rpartition(" ")
        yield stack.split(";"), int(number)


def _step(stack: list[str]) -> str:
    for frame in stack:
        if (match := _FRAME.match(frame)) and match["function"] in FORWARD and "tasks/" in match["file"]:
            return match["function"]
    return BETWEEN


def _library(stack: list[str]) -> str:
    for frame in reversed(stack):
        for name, pattern in LIBRARIES.items():
            if re.search(pattern, frame):
                return name
    return "Python itself"


def _innermost(stack: list[str]) -> str:
    return stack[-1]
