"""docker-compose.yml: no service may take the machine's memory or its disk from the others."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())[
    "services"
]
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
def test_no_service_s_log_fills_the_disk(service: str) -> None:
    """Docker's `local` driver keeps 100 MB of each; the one it has by default keeps everything."""
    assert SERVICES[service]["logging"]["driver"] == "local"


def test_flower_keeps_no_more_tasks_than_its_memory_holds() -> None:
    """Measured: 130 MiB without any, and 4.9 KiB each."""
    flower = SERVICES["flower"]
    options = dict(word.split("=") for word in flower["command"] if "=" in word)
    assert (130 * 2**10 + int(options["--max_tasks"]) * 5) * 2**10 <= size(flower["mem_limit"]) * 2 // 3


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
