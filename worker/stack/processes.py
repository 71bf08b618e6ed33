"""The command lines of a stack's processes, by name, in the order in which they are started."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from worker.command_lines import Worker, api_command, beat_command, flower_command, worker_command
from worker.processes import Child, http_ok, log_says
from worker.processes.child import Ready
from worker.stack.addresses import LOOPBACK, Ports
from worker.webhook_endpoint import WEBHOOK_PATH

WORKERS = ("worker-1", "worker-2")
"""Two, so that one of them may be killed while the other goes on; each takes all queues."""


@dataclass(frozen=True, slots=True)
class Process:
    name: str
    command: list[str]
    ready: Ready
    env: Mapping[str, str] = field(default_factory=dict)


def stand_ins(ports: Ports, variables: Mapping[str, str], folder: Path) -> list[Process]:
    """What the world outside is here; needs nothing else to start."""
    stripe_env = {
        "STANDIN_STRIPE_API_KEY": variables["PRORATA_STRIPE_API_KEY"],
        "STANDIN_STRIPE_WEBHOOK_URL": f"http://{LOOPBACK}:{ports.api}{WEBHOOK_PATH}",
        "STANDIN_STRIPE_WEBHOOK_SECRET": variables["PRORATA_STRIPE_WEBHOOK_SECRET"],
    }
    mailbox_ports = (f"--smtp-port={ports.smtp}", f"--http-port={ports.mailbox}")
    return [
        _stand_in("stripe", ports.stripe, folder, f"--port={ports.stripe}", env=stripe_env),
        _stand_in("vies", ports.vies, folder, f"--port={ports.vies}"),
        _stand_in("mailbox", ports.mailbox, folder, *mailbox_ports),
    ]


def own(ports: Ports, variables: Mapping[str, str]) -> list[Process]:
    """Workers, beat and API; need the database migrated and the broker there."""
    workers = [
        Process(name, worker_command(Worker.ALL, number=number), log_says(" ready."), variables)
        for number, name in enumerate(WORKERS, start=1)
    ]
    api = api_command(host=LOOPBACK, port=ports.api)
    return [
        *workers,
        Process("beat", beat_command(), is_there, variables),
        Process("api", api, http_ok(f"http://{LOOPBACK}:{ports.api}/healthz"), variables),
    ]


def flower(ports: Ports, variables: Mapping[str, str]) -> Process:
    """With a login where the variables have one; Flower itself reads FLOWER_BASIC_AUTH only."""
    login = variables.get("PRORATA_FLOWER_LOGIN")
    env = {**variables, "FLOWER_BASIC_AUTH": login} if login else variables
    command = flower_command(host=LOOPBACK, port=ports.flower)
    return Process("flower", command, http_ok(f"http://{LOOPBACK}:{ports.flower}/healthcheck"), env)


def is_there(child: Child) -> bool:
    return child.pid is not None


def sealed(process: Process) -> list[str]:
    """The command, run without whatever PRORATA_ variables its caller happens to have."""
    leaking = [name for name in os.environ if name.startswith(("PRORATA_", "STANDIN_")) and name not in process.env]
    unset = [word for name in leaking for word in ("-u", name)]
    return ["/usr/bin/env", *unset, *process.command] if unset else process.command


def _stand_in(name: str, port: int, folder: Path, *flags: str, env: Mapping[str, str] | None = None) -> Process:
    command = [sys.executable, "-P", "-m", f"api_stub.stand_ins.{name}", *flags, f"--data={folder / name}.sqlite3"]
    return Process(name, command, http_ok(f"http://{LOOPBACK}:{port}/healthz"), env or {})
