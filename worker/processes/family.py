"""A process and all that it has started."""

import psutil


def family(pid: int | None) -> list[psutil.Process]:
    """Itself first; nobody where it is gone."""
    if pid is None:
        return []
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
