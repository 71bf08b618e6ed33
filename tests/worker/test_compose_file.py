"""docker-compose.yml: no service may take the machine's memory or its disk from the others, and each of ours gets the settings it needs."""

import re
import shutil
import stat
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from models import migrations
from tests.support.command import Command
from tests.worker.test_upgrading import at, of, set_to
from worker import production
from worker.environment import read
from worker.settings import BrokerSettings, DatabaseSettings, ServerSettings, Settings

FOLDER = Path(__file__).parents[2]
COMPOSE = (FOLDER / "docker-compose.yml").read_text()
EXAMPLE = (FOLDER / ".env.example").read_text()
UPGRADING = (FOLDER / "docs/upgrading.md").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
UNITS = {"k": 2**10, "m": 2**20, "g": 2**30}
MACHINE = 8 * 2**30
"""a small one, which is to have room left for itself"""


def size(text: str) -> int:
    """In bytes: "512m", as docker compose writes it, or "320mb", as Redis does."""
    text = text.removesuffix("b")
    return int(text[:-1]) * UNITS[text[-1]]


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_limit_of_memory(service: str) -> None:
    assert 128 * UNITS["m"] <= size(SERVICES[service]["mem_limit"]) <= UNITS["g"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_limit_of_processes(service: str) -> None:
    """PostgreSQL has a process for each of its 100 connections, and some of its own."""
    assert 128 <= SERVICES[service]["pids_limit"] <= 1024


@pytest.mark.parametrize(
    ("network", "joined"),
    [
        ("data", {"postgres", "redis", "migrate", "api", "worker-1", "worker-2", "beat", "flower"}),
        ("outside", {"mailpit", "stripe-stand-in", "vies-stand-in", "api", "worker-1", "worker-2"}),
    ],
)
def test_what_stands_for_the_world_outside_reaches_neither_postgresql_nor_redis(network: str, joined: set[str]) -> None:
    assert {name for name, service in SERVICES.items() if network in service["networks"]} == joined


@pytest.mark.parametrize("page", ["README.md", ".env.example", "docker-compose.yml", "docs/deploying.md"])
def test_the_file_of_secrets_is_made_for_its_owner_alone_by_the_command_that_the_pages_tell(
    page: str, tmp_path: Path
) -> None:
    told = set(re.findall(r"\w[\w -]* \.env\.example \.env\b", (FOLDER / page).read_text()))
    assert len(told) == 1
    shutil.copy(FOLDER / ".env.example", tmp_path)
    (tmp_path / ".env.example").chmod(0o644)
    subprocess.run(["/bin/sh", "-c", f"umask 022; {told.pop()}"], cwd=tmp_path, check=True)
    made = tmp_path / ".env"
    assert (made.read_text(), oct(stat.S_IMODE(made.stat().st_mode))) == (EXAMPLE, "0o600")


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_s_log_fills_the_disk(service: str) -> None:
    """Docker's `local` driver keeps 100 MB of each; the one it has by default keeps everything."""
    assert SERVICES[service]["logging"]["driver"] == "local"


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_waits_for_docker_to_take_a_line_of_its_log(service: str) -> None:
    """As Docker does unless told otherwise: the API then answers nothing, and a worker keeps its orders until its watchdog ends it."""
    assert SERVICES[service]["logging"]["options"]["mode"] == "non-blocking"


def test_flower_keeps_no_more_tasks_than_its_memory_holds() -> None:
    """Measured: 130 MiB without any, and 4.9 KiB each."""
    flower = SERVICES["flower"]
    options = dict(word.split("=") for word in flower["command"] if "=" in word)
    assert (130 * 2**10 + int(options["--max_tasks"]) * 5) * 2**10 <= size(flower["mem_limit"]) * 2 // 3


def test_the_login_that_flower_takes_is_the_one_that_is_checked() -> None:
    environment = SERVICES["flower"]["environment"]
    assert environment["FLOWER_BASIC_AUTH"] == environment["PRORATA_FLOWER_LOGIN"]
    assert "FLOWER_UNAUTHENTICATED_API" not in environment


def test_all_limits_together_fit_into_a_small_machine() -> None:
    assert sum(size(service["mem_limit"]) for service in SERVICES.values()) <= MACHINE * 3 // 4


def test_redis_is_full_before_it_is_killed_and_drops_no_message() -> None:
    """While it rewrites its file, what changes meanwhile is in memory twice."""
    redis = SERVICES["redis"]
    words = redis["command"].split()
    options = dict(pairwise(words))
    assert options["--maxmemory-policy"] == "noeviction"
    assert size(options["--maxmemory"]) * 3 // 2 <= size(redis["mem_limit"])


def test_postgresql_has_room_for_its_shared_memory_many_times() -> None:
    assert size(SERVICES["postgres"]["mem_limit"]) >= 4 * size(SERVICES["postgres"]["shm_size"])


@pytest.mark.parametrize(
    ("service", "needed"),
    [
        ("api", Settings),
        ("worker-1", Settings),
        ("worker-2", Settings),
        ("beat", ServerSettings),
        ("flower", BrokerSettings),
        ("migrate", DatabaseSettings),
    ],
)
def test_the_settings_that_a_container_needs_reach_it_and_no_others(service: str, needed: type[BaseSettings]) -> None:
    """A setting that is not named there is ignored in .env, without a word; a secret that is there can be stolen there."""
    wanted = {f"PRORATA_{name.upper()}" for name in needed.model_fields if name != "drill_folder"}
    assert {name for name in SERVICES[service]["environment"] if name.startswith("PRORATA_")} == wanted


def test_no_other_container_has_settings() -> None:
    having = {name for name, service in SERVICES.items() if "PRORATA_ENVIRONMENT" in service.get("environment", {})}
    assert having == {"api", "worker-1", "worker-2", "beat", "flower", "migrate"}


def test_the_example_of_env_lists_every_variable_that_docker_compose_reads() -> None:
    read = set(re.findall(r"\$\{(PRORATA_\w+)", COMPOSE))
    assert set(re.findall(r"^(?:# )?(PRORATA_\w+)=", EXAMPLE, re.MULTILINE)) == read


def by_default(text: str) -> str:
    """As docker compose makes it of a file without .env: ${NAME:-default}, and that within a default."""
    inner = re.compile(r"\$\{\w+:?-([^${}]*)\}")
    while inner.search(text):
        text = inner.sub(r"\1", text)
    return text


def test_a_setting_that_docker_compose_hands_over_empty_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    handed_over = {name: by_default(value) for name, value in SERVICES["api"]["environment"].items()}
    empty = {name.removeprefix("PRORATA_").lower() for name, value in handed_over.items() if not value}
    assert {"database_pool_size", "stripe_timeout_seconds", "max_restarts", "sweep_seconds"} <= empty
    for name, value in handed_over.items():
        monkeypatch.setenv(name, value)
    chosen = read(Settings, unfit=production.unfit)
    assert empty.isdisjoint(chosen.model_fields_set)


@pytest.mark.parametrize(("standing", "ends_at"), [("0815", "0815"), ("0020", migrations.head())])
def test_migrate_lets_the_services_of_an_older_release_start_on_a_newer_database(
    standing: str, ends_at: str, prorata: Command, fresh_database_url: str
) -> None:
    """Each of them waits until it has succeeded."""
    if migrations.is_beyond(standing):
        set_to(fresh_database_url, standing)
    else:
        migrations.downgrade(fresh_database_url, standing)
    command, *words = SERVICES["migrate"]["command"]
    assert command == "prorata"
    assert prorata(*words, **of(fresh_database_url)).status == 0
    assert at(fresh_database_url) == ends_at


def test_whoever_goes_back_is_told_to_name_the_old_image_before_anything_starts() -> None:
    """No service is built when it starts, so it would be the new image once more."""
    assert {SERVICES[name]["pull_policy"] for name in ("api", "worker-1", "worker-2", "beat")} == {"never"}
    going_back = UPGRADING.partition("\nTo go back while old processes still fit")[2].partition("\n\n")[0]
    steps = (
        "`PRORATA_IMAGE_TAG`",
        "`docker image ls prorata`",
        "`docker compose build`",
        "`docker compose up -d --no-deps api`",
    )
    places = [going_back.find(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places)
