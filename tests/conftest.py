"""Fixtures for every test, and where their files lie."""

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
_LONG = frozenset({"bench", "chaos", "e2e", "worker"})
"""folders with files that take long: these come first, so that at the end no process of the run is left alone with one"""
_IN_MEMORY = Path("/dev/shm")
_ENOUGH = 4 * 1024**3
"""bytes; a whole run needs a quarter of that at its height"""


def pytest_configure() -> None:
    """Let temporary folders lie in memory where there is room: most tests have a database of their own, copied twenty times as fast there."""
    if _IN_MEMORY.is_dir() and os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free > _ENOUGH:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_IN_MEMORY))
    # In colours, with the source around each line, a logged error takes longer than most tests.
    ConsoleRenderer.get_active().exception_formatter = plain_traceback


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.relative_to(_TESTS).parts[0] not in _LONG)
