"""`make compose-test`: docker-compose.yml brought up under a name and on ports of its own, tested from outside, taken down again.

The tests marked `from_outside` run against it. They find it by these variables:
PRORATA_E2E_URL, PRORATA_E2E_MAILPIT_URL, PRORATA_E2E_STRIPE_URL, PRORATA_E2E_VIES_URL, PRORATA_E2E_FLOWER_URL: where each listens,
PRORATA_E2E_FLOWER_LOGIN: user:password, PRORATA_E2E_PRORATA: the `prorata` command in a container, words separated as in a shell.
"""

import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from api_stub.demo import all_orders as demo
from worker.processes import PortReservation, reserve_port

ROOT = Path(__file__).parents[2]
SERVICES = ("api", "mailpit", "stripe", "vies", "flower")
UP_WITHIN = 240
"""Seconds, beside the build."""


def main(arguments: list[str]) -> int:
    problem = missing()
    if problem:
        say(f"make compose-test {problem}")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    project = f"prorata-test-{secrets.token_hex(3)}"
    ports = {service: reserve_port() for service in SERVICES}
    stack = Stack(project, environment(project, ports))
    try:
        stack.up()
        tests = [sys.executable, "-m", "pytest", "-q", "-m", "from_outside", "tests/e2e", *arguments]
        status = subprocess.run(tests, cwd=ROOT, env=os.environ | addresses(stack, ports), check=False).returncode
        if status != 0:
            stack.show_logs()
    except subprocess.CalledProcessError as failure:
        stack.show_logs()
        say(f"`{shlex.join(failure.cmd)}` failed")
        return 1
    finally:
        stack.down()
    return status


def missing() -> str | None:
    """What keeps us from running containers, in a sentence; None if nothing does."""
    if shutil.which("docker") is None:
        return "needs Docker, and there is no `docker` command."
    for words, need in (
        (["docker", "compose", "version"], "needs Docker's Compose plugin (v2.20 or later)"),
        (["docker", "info"], "needs a running Docker daemon"),
    ):
        answer = subprocess.run(words, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            return f"{need}: {answer.stderr.strip()}"
    return None


def environment(project: str, ports: Mapping[str, PortReservation]) -> dict[str, str]:
    """Own ports, an own image, passwords that nobody else has; nothing from an .env file or the caller's PRORATA_ variables."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PRORATA_", "COMPOSE_"))}
    return inherited | {
        "COMPOSE_PROJECT_NAME": project,
        "PRORATA_IMAGE_TAG": project,
        "PRORATA_POSTGRES_PASSWORD": secrets.token_hex(16),
        "PRORATA_REDIS_PASSWORD": secrets.token_hex(16),
        "PRORATA_STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
        **demo.SETTINGS,
        "PRORATA_FLOWER_LOGIN": f"test:{secrets.token_hex(8)}",
        **{f"PRORATA_{name.upper()}_PORT": str(reservation.port) for name, reservation in ports.items()},
    }


def addresses(stack: "Stack", ports: Mapping[str, PortReservation]) -> dict[str, str]:
    """The variables by which the tests find the stack."""
    urls = {f"PRORATA_E2E_{name.upper()}_URL": f"http://127.0.0.1:{ports[name].port}" for name in SERVICES}
    urls["PRORATA_E2E_URL"] = urls.pop("PRORATA_E2E_API_URL")
    command = shlex.join([*stack.compose, "exec", "--no-TTY", "api", "prorata"])
    return urls | {"PRORATA_E2E_PRORATA": command, "PRORATA_E2E_FLOWER_LOGIN": stack.env["PRORATA_FLOWER_LOGIN"]}


@dataclass(frozen=True, slots=True)
class Stack:
    project: str
    env: Mapping[str, str]

    @property
    def compose(self) -> list[str]:
        file = str(ROOT / "docker-compose.yml")
        options = ["--progress=quiet", "--project-name", self.project, "--file", file, "--env-file", os.devnull]
        return ["docker", "compose", *options]

    def up(self) -> None:
        began = time.monotonic()
        self._run("build", "--quiet")
        built = time.monotonic()
        self._run("up", "--wait", "--wait-timeout", str(UP_WITHIN), "--quiet-pull")
        say(f"built in {built - began:.0f} s, up in {time.monotonic() - built:.0f} s")

    def show_logs(self) -> None:
        self._run("logs", "--no-color", "--tail", "60", check=False)
        self._run("ps", "--all", check=False)

    def down(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C must leave no container behind
        self._run("down", "--volumes", "--remove-orphans", "--timeout", "10", check=False, quiet=True)
        subprocess.run(["docker", "image", "rm", f"prorata:{self.project}"], check=False, capture_output=True)

    def _run(self, *words: str, check: bool = True, quiet: bool = False) -> None:
        subprocess.run([*self.compose, *words], check=check, env=self.env, cwd=ROOT, capture_output=quiet)


def say(message: str) -> None:
    sys.stderr.write(f"{message}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
