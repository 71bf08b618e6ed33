"""Fixtures for every test, and where their files lie."""

import gc
import os
import shutil
from pathlib import Path

import pytest
from structlog.dev import ConsoleRenderer, plain_traceback

pytest_plugins = [
    "tests.support.servers",
    "tests.support.stripe_stand_in",
    "tests.support.world_fixtures",
    "tests.support.command",
    "tests.support.backup",
]

_TESTS = Path(__file__).parent
_WAITING = frozenset({"bench", "chaos", "e2e", "worker"})
"""folders whose tests mostly wait, for processes that they start and kill; their files take longest"""
_IN_MEMORY = Path("/dev/shm")
_ENOUGH = 4 * 1024**3
"""bytes; a whole run needs a quarter of that at its height"""


def pytest_configure() -> None:
    """Let temporary folders lie in memory where there is room: databases are copied twenty times as fast there."""
    if _IN_MEMORY.is_dir() and os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free > _ENOUGH:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_IN_MEMORY))
    # In colours, with the source around each line, a logged error takes longer than most tests.
    ConsoleRenderer.get_active().exception_formatter = plain_traceback
    gc.disable()  # until all tests are there: what is made until then stays


def pytest_collection_finish() -> None:
    """Look for garbage again, but not among the tests: there are seven thousand. And seldom: each test leaves little, and soon ends."""
    gc.freeze()
    gc.set_threshold(20_000)
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait and files that compute take turns, so that processors have work at any time; the last fifth computes only, lest at
    the end a process of the run be left alone with a long file."""
    turns: dict[Path, float] = {}
    for waits, share in ((True, 0.8), (False, 1.0)):
        files = dict.fromkeys(item.path for item in items if (_folder(item) in _WAITING) is waits)
        turns |= {file: share * number / len(files) for number, file in enumerate(files)}
    items.sort(key=lambda item: turns[item.path])


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(_TESTS).parts[0]
