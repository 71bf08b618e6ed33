"""Stands between our processes and their servers, and breaks connections as networks do. A process of its own:

python -m worker.drill.proxy CONTROL_PORT NAME:FRONT_PORT:TARGET_PORT ...

Commands come to the control port, a line each, and are answered with how many connections they concern:
cut NAME · half-open NAME SECONDS (nothing gets through, and neither side is told) · lose-commits COUNT (PostgreSQL commits, its
answer is lost).
"""

import asyncio
import socket
import struct
import sys
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"
PIECE = 65536
COMMIT = b"COMMIT\x00"


@dataclass(eq=False)
class Link:
    """A connection from a process of ours to a server, both ways."""

    front: "Front"
    writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    open: asyncio.Event = field(default_factory=asyncio.Event)
    deaf: bool = False
    """the server's next words are not passed on; the connection ends instead"""

    async def run(self, client: asyncio.StreamReader, server: asyncio.StreamReader) -> None:
        self.open.set()
        to_client, to_server = self.writers
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pass_on(client, to_server, from_client=True))
                tasks.create_task(self._pass_on(server, to_client, from_client=False))
        except* OSError:
            self.cut()
        for writer in self.writers:
            writer.close()

    async def _pass_on(self, source: asyncio.StreamReader, to: asyncio.StreamWriter, *, from_client: bool) -> None:
        while piece := await source.read(PIECE):
            await self.open.wait()
            if from_client and self.front.takes_a_commit(piece):
                self.deaf = True
            if not from_client and self.deaf:
                raise ConnectionResetError
            to.write(piece)
            await to.drain()
        if to.can_write_eof() and not to.is_closing():
            to.write_eof()

    def cut(self) -> None:
        """With a reset, as when the other machine is gone."""
        for writer in self.writers:
            connection = writer.get_extra_info("socket")
            if connection is not None and connection.fileno() >= 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


@dataclass(eq=False)
class Front:
    name: str
    target: int
    links: set[Link] = field(default_factory=set)
    commits_to_lose: int = 0

    async def accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            server, to_server = await asyncio.open_connection(LOOPBACK, self.target)
        except OSError:
            to_client.transport.abort()
            return
        link = Link(self, (to_client, to_server))
        self.links.add(link)
        try:
            await link.run(client, server)
        finally:
            self.links.discard(link)

    def takes_a_commit(self, piece: bytes) -> bool:
        if self.commits_to_lose == 0 or COMMIT not in piece:
            return False
        self.commits_to_lose -= 1
        return True

    def cut(self) -> int:
        concerned = list(self.links)
        for link in concerned:
            link.cut()
        return len(concerned)

    def half_open(self, seconds: float) -> int:
        concerned = list(self.links)
        for link in concerned:
            link.open.clear()
        asyncio.get_running_loop().call_later(seconds, _end, concerned)
        return len(concerned)


def _end(links: list[Link]) -> None:
    for link in links:
        link.cut()
        link.open.set()


class Control:
    def __init__(self, fronts: dict[str, Front]) -> None:
        self.fronts = fronts

    async def accept(self, orders: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        while order := (await orders.readline()).decode().split():
            answers.write(f"{self.obey(*order)}\n".encode())
            await answers.drain()
        answers.close()

    def obey(self, what: str, *details: str) -> int:
        match what, details:
            case "cut", (name,):
                return self.fronts[name].cut()
            case "half-open", (name, seconds):
                return self.fronts[name].half_open(float(seconds))
            case "lose-commits", (count,):
                self.fronts["postgres"].commits_to_lose = int(count)
                return int(count)
        raise ValueError(f"unknown order: {what} {details}")


async def serve(control_port: int, wanted: list[tuple[str, int, int]]) -> None:
    fronts = {name: Front(name, target) for name, _, target in wanted}
    servers = [await asyncio.start_server(fronts[name].accept, LOOPBACK, port, limit=PIECE) for name, port, _ in wanted]
    servers.append(await asyncio.start_server(Control(fronts).accept, LOOPBACK, control_port))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main(arguments: list[str]) -> None:
    control_port, *fronts = arguments
    wanted = [(name, int(front), int(target)) for name, front, target in (each.split(":") for each in fronts)]
    asyncio.run(serve(int(control_port), wanted))


if __name__ == "__main__":
    main(sys.argv[1:])
