"""`prorata api | worker | beat | demo`, and the command lines of the stack's processes; each checks settings and database as it starts."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from worker import schema
from worker.commands.workers import KNOWN_QUEUES, WORKERS, Pool, Worker, worker_name
from worker.settings import settings


def worker_command(
    name: Worker,
    *,
    number: int | None = None,
    queues: str | None = None,
    pool: Pool | None = None,
    concurrency: int | None = None,
) -> list[str]:
    """The command line of a worker. number: which of several of that name on one host."""
    own_queues, own_pool, own_concurrency = WORKERS[name]
    return [
        *_celery("worker"),
        f"--hostname={worker_name(name, number)}@%h",
        f"--queues={queues or own_queues}",
        f"--pool={pool or own_pool}",
        f"--concurrency={concurrency or own_concurrency}",
        "--loglevel=INFO",
        "--without-mingle",
        "--without-gossip",
    ]


def beat_command() -> list[str]:
    return [*_celery("beat"), "--pidfile=", "--loglevel=INFO"]


API_PROTOCOL = "api_stub.edge.request_head:LimitedHead"
STOPS_WITHIN = 10
"""seconds that requests may take to be answered once the API is told to stop; then they are cut off"""
KEEPS_IDLE = 10
"""seconds that an idle connection stays open: longer than clients keep theirs (httpx: 5), or a request might meet its end"""


def api_command(*, host: str, port: int) -> list[str]:
    return [
        *_python("uvicorn"),
        *("api_stub.app:create_app", "--factory", f"--app-dir={_HOME}"),
        *(f"--host={host}", f"--port={port}", f"--http={API_PROTOCOL}", "--no-access-log", "--log-level=info"),
        *(f"--timeout-graceful-shutdown={STOPS_WITHIN}", f"--timeout-keep-alive={KEEPS_IDLE}"),
    ]


SHOWN_IN_FLOWER = 20_000
"""tasks, the newest; it keeps them in memory, 5 KB each"""


def flower_command(*, host: str, port: int) -> list[str]:
    """For looking only: whoever reaches it can put no task into a queue."""
    where = (f"--address={host}", f"--port={port}")
    return [*_celery("flower"), *where, f"--max_tasks={SHOWN_IN_FLOWER}", "--read_only=true"]


def _celery(subcommand: str) -> list[str]:
    return [*_python("worker.celery_command"), "--app=worker.app", "--quiet", subcommand]


_HOME = Path(__file__).parents[2]
"""where our packages are; uvicorn looks for an application in the current folder unless it is told of one"""


def _python(module: str) -> list[str]:
    """-P: the current folder is no place to import from; a `models` that lies there is somebody else's."""
    return [sys.executable, "-P", "-m", module]


def worker(
    name: Annotated[
        Worker, typer.Argument(metavar="NAME", help="all queues, or those that suit one pool")
    ] = Worker.ALL,
    number: Annotated[int | None, typer.Option(min=1, help="which of several of that name on this host")] = None,
    concurrency: Annotated[int | None, typer.Option("-c", "--concurrency", min=1, max=500)] = None,
    pool: Annotated[Pool | None, typer.Option(help="how it runs tasks concurrently")] = None,
    queues: Annotated[str | None, typer.Option(help="queues other than its own, separated by commas")] = None,
) -> None:
    """Run a worker: one for each processor, or one each of orders, payments and mail."""
    if queues is not None:
        queues = ",".join(_known(queues))
    _check()
    _become(worker_command(name, number=number, queues=queues, pool=pool, concurrency=concurrency))


def beat() -> None:
    """Run the scheduler: it triggers the relay, the sweep and the handling of webhooks. One is enough; it keeps no file."""
    _check()
    _become(beat_command())


def api(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="processes")] = 1,
) -> None:
    """Serve the HTTP API."""
    _check()
    uvicorn.run(
        "api_stub.app:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http=API_PROTOCOL,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=STOPS_WITHIN,
        timeout_keep_alive=KEEPS_IDLE,
    )


def _check() -> None:
    """Raises SettingsError, SchemaOutdated."""
    chosen = settings()
    schema.check(chosen.database_url.get_secret_value(), in_production=chosen.environment == "production")


def demo(context: typer.Context) -> None:
    """Start everything, place the sample orders over HTTP, and show what came of each (--keep leaves it running)."""
    _become([*_python("api_stub.demo"), *context.args])


def _become(command: list[str]) -> None:
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 - the very thing: signals and exit status become the worker's


def _known(queues: str) -> list[str]:
    chosen = [queue.strip() for queue in queues.split(",")]
    if unknown := [queue for queue in chosen if queue not in KNOWN_QUEUES]:
        raise typer.BadParameter(f"--queues: there is no queue {unknown[0]!r}; there are {', '.join(KNOWN_QUEUES)}")
    return chosen
