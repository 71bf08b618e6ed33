"""Processor time and memory of processes, each with its descendants."""

from collections.abc import Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor seconds since each process began, by name."""

    seconds: dict[str, float]

    def since(self, earlier: "Usage") -> dict[str, float]:
        return {name: spent - earlier.seconds.get(name, 0.0) for name, spent in self.seconds.items()}


def processor(pids: Mapping[str, int]) -> Usage:
    return Usage({name: sum(_spent(process) for process in _family(pid)) for name, pid in pids.items()})


def memory(pids: Mapping[str, int]) -> dict[str, float]:
    """Megabytes by name; what several processes share is counted once (PSS), where the system tells."""
    return {name: sum(_held(process) for process in _family(pid)) / 1e6 for name, pid in pids.items()}


def _family(pid: int) -> list[psutil.Process]:
    """Not `worker.processes.family`: versions that are compared with this one may not have it."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _spent(process: psutil.Process) -> float:
    """Its own and that of the children it has reaped."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _held(process: psutil.Process) -> float:
    try:
        full = process.memory_full_info()
        return float(getattr(full, "pss", full.uss))
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0
