"""`prorata api | worker | beat | demo`. The first three check settings, database and broker before they start."""

import os
import sys
from typing import Annotated

import typer
import uvicorn

from tasks.queues import QUEUE_NAMES
from worker import descriptors, first_process, schema, single_redis
from worker.command_lines import WORKERS, Pool, Worker, beat_command, python, worker_command
from worker.environment import server_settings, settings
from worker.settings import ServerSettings

_PROTOCOL = "api_stub.edge.request_head:LimitedHead"
STOPS_WITHIN = 10
"""seconds that requests may take to be answered once the API is told to stop; then they are cut off"""
KEEPS_IDLE = 10
"""seconds that an idle connection stays open: longer than clients keep theirs (httpx: 5), or a request might meet its end"""


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
    _, own_pool, own_concurrency = WORKERS[name]
    descriptors.check(pool or own_pool, concurrency=concurrency or own_concurrency)
    _check(settings())
    _become(worker_command(name, number=number, queues=queues, pool=pool, concurrency=concurrency))


def beat() -> None:
    """Run the scheduler: it triggers the relay, the sweep and the handling of webhooks. One is enough; it keeps no file."""
    _check(server_settings())
    _become(beat_command())


def api(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="processes")] = 1,
) -> None:
    """Serve the HTTP API."""
    _check(settings())
    uvicorn.run(
        "api_stub.app:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http=_PROTOCOL,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=STOPS_WITHIN,
        timeout_keep_alive=KEEPS_IDLE,
    )


def _check(chosen: ServerSettings) -> None:
    """Raises NotOneServer, and what schema.check does."""
    schema.check(chosen.database_url.get_secret_value(), in_production=chosen.environment == "production")
    single_redis.check(chosen.broker_url.get_secret_value())


def demo(context: typer.Context) -> None:
    """Start everything, place the sample orders over HTTP, and show what came of each (--keep leaves it running)."""
    _become([*python("api_stub.demo"), *context.args])


def _become(command: list[str]) -> None:
    """A program that calls `first_process.end_at_term`."""
    sys.stdout.flush()
    first_process.hold_term()
    os.execv(command[0], command)  # noqa: S606 - the very thing: signals and exit status become the worker's


def _known(queues: str) -> list[str]:
    chosen = [queue.strip() for queue in queues.split(",")]
    if unknown := [queue for queue in chosen if queue not in QUEUE_NAMES]:
        raise typer.BadParameter(f"--queues: there is no queue {unknown[0]!r}; there are {', '.join(QUEUE_NAMES)}")
    return chosen
