"""How each of those measured is started. What runs in them, and why that is fair, is in `benchmarks.peers`."""

import sys
from collections.abc import Mapping
from dataclasses import replace

from benchmarks.peer import Peer, Processes, Setting
from benchmarks.surroundings import Surroundings
from worker.processes import log_says
from worker.stack.processes import Process

READY = log_says(" ready.")

GIVES_WAY = ["/bin/sh", "-c", 'echo 10 2>/dev/null >/proc/self/autogroup; exec nice -n 10 "$@"', "sh"]
"""put before a command: it gets a ninth of the others' processor share while they want it, in the range of docker-compose.yml's `cpu_shares`.
Where Linux groups processes by session (autogroup), it shares among sessions first, and a process's own niceness does not count there."""


def prorata(
    *,
    load: str = "benchmarks.peers.prorata:ProrataLoad",
    workers: Mapping[str, list[str]] | None = None,
    giving_way: bool = False,
) -> Peer:
    """workers: command lines by name, in place of its usual two.

    giving_way: whether workers leave the processors to other processes that want them, as docker-compose.yml has it.
    """

    def arrange(setting: Setting) -> Processes:
        here = Surroundings.of(setting)
        own = here.own()
        if workers is not None:
            others = [process for process in own if not process.name.startswith("worker-")]
            own = [*others, *(Process(name, line, READY, here.variables) for name, line in workers.items())]
        if giving_way:
            own = [_giving_way(process) if process.name.startswith("worker-") else process for process in own]
        return Processes(own, here.world(), {**here.variables, "BENCH_FOLDER": str(setting.folder)})

    packages = ("celery", "sqlalchemy", "psycopg", "stripe")
    return Peer("prorata", "Prorata, everything on", packages, arrange, load, needs_schema=True)


def _giving_way(process: Process) -> Process:
    return replace(process, command=[*GIVES_WAY, *process.command])


def _celery(module: str, setting: Setting, *more: str) -> Processes:
    """Two child processes that log warnings only."""
    celery = [sys.executable, "-m", "celery", f"--app=benchmarks.peers.{module}", "--quiet", "worker"]
    options = ["--loglevel=WARNING", "--pool=prefork", "--concurrency=2", "--without-mingle", "--without-gossip"]
    worker = Process("worker", [*celery, *options, *more], READY, setting.variables)
    return Processes([worker], variables=setting.variables)


def _bare_chain(setting: Setting) -> Processes:
    return _celery("bare_chain", setting)


def _watched_chain(setting: Setting) -> Processes:
    return _celery("bare_chain", setting, "--events")


def _naive_chain(setting: Setting) -> Processes:
    return _celery("naive_chain", setting)


def _dbos(setting: Setting) -> Processes:
    command = [sys.executable, "-m", "benchmarks.peers.dbos_workflow"]
    workers = [
        Process(f"worker-{number}", command, READY, {**setting.variables, "BENCH_NUMBER": number}) for number in "12"
    ]
    return Processes(workers, variables=setting.variables)


def _dramatiq(setting: Setting) -> Processes:
    command = [sys.executable, "-m", "dramatiq", "--processes=2", "--threads=8", "benchmarks.peers.dramatiq_pipeline"]
    ready = log_says("is ready for action.")
    return Processes([Process("worker", command, ready, setting.variables)], variables=setting.variables)


def _floor(name: str, title: str, *, statements: bool = False, outside: bool = False, together: int = 1) -> Peer:
    """The stand-ins are always there, for the orders that are recorded; so is the API, which takes webhooks."""

    def arrange(setting: Setting) -> Processes:
        here = Surroundings.of(setting)
        parts = {"BENCH_FLOOR_STATEMENTS": f"{statements:d}", "BENCH_FLOOR_OUTSIDE": f"{outside:d}"}
        parts |= {"BENCH_FLOOR_TOGETHER": f"{together}"}
        variables = {**here.variables, **setting.variables, **parts, "BENCH_THREADS": "4" if outside else "1"}
        command = [sys.executable, "-m", "benchmarks.peers.floor"]
        workers = [Process(f"worker-{number}", command, READY, variables) for number in "12"]
        api = [process for process in here.own() if process.name == "api"]
        return Processes([*workers, *api], here.world(), variables)

    load = "benchmarks.peers.floor_load:FloorLoad"
    return Peer(name, title, ("psycopg", "stripe"), arrange, load, needs_schema=True)


_ALL = (
    prorata(),
    Peer(
        "bare_chain",
        "bare Celery chain of no-ops, prefork -c 2",
        ("celery", "kombu", "redis"),
        _bare_chain,
        "benchmarks.peers.bare_chain:BareLoad",
    ),
    Peer(
        "watched_chain",
        "the same chain, with events for Flower",
        ("celery", "kombu", "redis"),
        _watched_chain,
        "benchmarks.peers.bare_chain:BareLoad",
    ),
    Peer(
        "naive",
        "naive durable chain, one ORM transaction a step",
        ("celery", "sqlalchemy"),
        _naive_chain,
        "benchmarks.peers.naive_chain:NaiveLoad",
    ),
    Peer("dbos", "DBOS, six steps of nothing", ("dbos",), _dbos, "benchmarks.peers.dbos_workflow:DbosLoad"),
    Peer(
        "dramatiq",
        "Dramatiq pipeline of no-ops, 2 x 8 threads",
        ("dramatiq",),
        _dramatiq,
        "benchmarks.peers.dramatiq_pipeline:DramatiqLoad",
    ),
    _floor("floor", "floor: Prorata's statements in plain psycopg", statements=True),
    _floor("outside", "floor: its charge, documents and letters", outside=True),
    _floor("floor_outside", "floor: both, and nothing else", statements=True, outside=True),
    _floor("floor_grouped", "floor: both, for 8 orders at a time", statements=True, outside=True, together=8),
)
PEERS = {peer.name: peer for peer in _ALL}
