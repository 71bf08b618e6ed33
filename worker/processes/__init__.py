"""Child processes that never outlive us: `Supervisor` for several, `Child` for one, `reserve_port` for where they listen."""

from worker.processes.child import Child, ChildFailed, NotReady, http_ok, log_says
from worker.processes.ports import PortReservation, reserve_port
from worker.processes.supervisor import Supervisor

__all__ = [
    "Child",
    "ChildFailed",
    "NotReady",
    "PortReservation",
    "Supervisor",
    "http_ok",
    "log_says",
    "reserve_port",
]
