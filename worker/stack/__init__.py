"""The whole system on one machine, as child processes: for `prorata demo`, `prorata up`, end-to-end tests and drills."""

from worker.stack.addresses import Addresses
from worker.stack.running import Detour, Stack, running

__all__ = ["Addresses", "Detour", "Stack", "running"]
