"""One Prorata on given servers: its ports, its variables, the stand-ins it talks to."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.peer import Setting
from worker.stack import processes as parts
from worker.stack.addresses import Ports, variables
from worker.stack.processes import Process


@dataclass(frozen=True, slots=True)
class Surroundings:
    ports: Ports
    variables: dict[str, str]
    folder: Path

    @classmethod
    def of(cls, setting: Setting) -> "Surroundings":
        ports = Ports.reserved(setting.reserve_port)
        urls = {"database_url": setting.database_url, "broker_url": setting.broker_url}
        return cls(ports, variables(ports, **urls, chosen={}), setting.folder)

    def world(self) -> list[Process]:
        return parts.stand_ins(self.ports, self.variables, self.folder)

    def own(self) -> list[Process]:
        return parts.own(self.ports, self.variables)
