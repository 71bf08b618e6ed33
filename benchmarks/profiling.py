"""Where Prorata's processor time goes, step by step: py-spy looks at the workers a hundred times a second during a burst.

Only the thread that holds the GIL is sampled, so waiting is not. A sample belongs to the step on its stack (none: Celery itself) and to the library
of its innermost known frame; milliseconds are the worker's processor time per order, shared out by samples.
"""

import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import usage
from benchmarks.contestants import PEERS
from benchmarks.servers import Servers
from benchmarks.turn import started
from models.states import FORWARD
from worker.stack.processes import WORKERS

BETWEEN = "between steps"
RATE = 100

LIBRARIES = {
    "PDF": "fontTools|tasks/invoices",
    "Stripe SDK": "stripe|requests|urllib3|worker/adapters/stripe|http/client",
    "letters": "jinja2|babel|tasks/letters|tasks/locales|gettext|<template>|tasks/letters/letter",
    "SMTP and MIME": "smtplib|email/|email_validator|idna|base64|quopri|worker/adapters/(smtp|mime)",
    "psycopg": "psycopg",
    "SQLAlchemy": "sqlalchemy",
    "logging": "structlog|logging|rich",
    "Celery": "celery|kombu|billiard|vine|amqp",
    "Redis client": "redis",
    "retries": "tenacity",
    "our own code": "models|tasks|worker",
}
"""patterns for the beginning of a frame's file; the innermost frame that matches any decides"""

Sample = tuple[list[str], int]
"""a stack, outermost frame first, and how often it was seen"""

_FRAME = re.compile(r"(?P<function>.*) \((?P<file>.*?)(:\d+)?\)$")


@dataclass(frozen=True, slots=True)
class Profile:
    milliseconds: dict[tuple[str, str], float]
    """per order, by step and library"""
    functions: Counter[str]
    """the innermost ones, by how often they were seen"""


def take(servers: Servers, scratch: Path, *, orders: int) -> Profile:
    with started(PEERS["prorata"], servers, scratch / "profile") as it:
        it.warm_up(20)
        it.driver.prepare(orders)
        pids = {name: it.own[name] for name in WORKERS}
        before = usage.processor(pids)
        with ExitStack() as exits:
            files = {name: exits.enter_context(_watching(pid, scratch / f"{name}.raw")) for name, pid in pids.items()}
            it.driver.burst(orders)
        spent = usage.processor(pids).since(before)
    return _summed({name: list(_samples(file)) for name, file in files.items()}, spent, orders)


def _summed(seen: Mapping[str, list[Sample]], spent: Mapping[str, float], orders: int) -> Profile:
    milliseconds: defaultdict[tuple[str, str], float] = defaultdict(float)
    functions: Counter[str] = Counter()
    for name, samples in seen.items():
        total = sum(number for _, number in samples) or 1
        for stack, number in samples:
            milliseconds[_step(stack), _library(stack)] += spent[name] * 1000 / orders * number / total
            functions[stack[-1]] += number
    return Profile(dict(milliseconds), functions)


@contextmanager
def _watching(pid: int, file: Path) -> Iterator[Path]:
    spy = [str(Path(sys.executable).with_name("py-spy")), "record", "--subprocesses", "--gil", "--format=raw"]
    with file.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            [*spy, f"--rate={RATE}", f"--pid={pid}", f"--output={file}", "--duration=unlimited"], stdout=log, stderr=log
        )
    try:
        yield file
    finally:
        process.send_signal(2)
        process.wait(timeout=60)


def _samples(file: Path) -> Iterator[Sample]:
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
        match = _FRAME.match(frame)
        for name, pattern in LIBRARIES.items():
            if match and re.match(pattern, match["file"].rpartition("site-packages/")[2]):
                return name
    return "Python itself"
