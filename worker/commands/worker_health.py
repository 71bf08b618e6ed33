"""`prorata worker-health NAME`: for a container's or a service's health check."""

import sys
from socket import gethostname
from typing import Annotated

import typer
from redis.exceptions import RedisError

from worker import certificates, health
from worker.command_lines import Worker, worker_name
from worker.commands.exit_status import FAILED, NO_ANSWER
from worker.environment import broker_settings


def worker_health(
    name: Annotated[Worker, typer.Argument(metavar="NAME", help="which one")] = Worker.ALL,
    number: Annotated[int | None, typer.Option(min=1, help="which of several of that name")] = None,
    within: Annotated[
        float, typer.Option(min=0.1, max=300, help="seconds to wait; a busy worker takes longer")
    ] = health.WITHIN,
    host: Annotated[str | None, typer.Option(help="the host it runs on; default: this one")] = None,
) -> None:
    """Exit with 0 if that worker takes and handles a message, with 1 if it does not, even if it is running, with 3 if the broker is unreachable."""
    worker = f"{worker_name(name, number)}@{host or gethostname()}"
    try:
        with health.connected(broker_settings().broker_url.get_secret_value()) as broker:
            healthy = health.sings(broker, worker, within=within)
    except RedisError as error:
        advice = certificates.what_to_do(str(error), "PRORATA_BROKER_URL")
        said = f"no connection to the broker: {advice} ({error})" if advice else f"the broker does not answer: {error}"
        typer.echo(f"{worker}: {said}", err=True)
        sys.exit(NO_ANSWER)
    if healthy:
        typer.echo(f"{worker} takes messages")
        return
    where = "" if host else "; does it run on this host? In a container, ask in its own"
    which = "" if number else "; was it started with --number?"
    typer.echo(f"{worker} took no message in {within:g} s{where}{which}", err=True)
    sys.exit(FAILED)
