"""What a storm does to a running system, by name: `FAULTS` lists every kind."""

from worker.drill.faults.kind import Fault, Strike
from worker.drill.faults.messages import MESSAGES
from worker.drill.faults.network import NETWORK
from worker.drill.faults.outside import OUTSIDE
from worker.drill.faults.processes import PROCESSES
from worker.drill.faults.servers import SERVERS

FAULTS: tuple[Fault, ...] = (*PROCESSES, *SERVERS, *NETWORK, *MESSAGES, *OUTSIDE)

__all__ = ["FAULTS", "Fault", "Strike"]
