"""TLS in front of servers whose wheels were built without it: it protects the way to them, and checking it is up to the client.

A process that terminates TLS, as stunnel does: `with tls_fronts(folder) as fronts: fronts.before_redis(port)`. A client that does not ask for
TLS gets nothing.
"""

import asyncio
import ssl
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.processes import Supervisor, log_says

LOOPBACK = "127.0.0.1"
CERTIFICATES = Path(__file__).parent / "certificates"
TRUSTED = CERTIFICATES / "ca.pem"
SOMEBODY_ELSES = CERTIFICATES / "other_ca.pem"
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""PostgreSQL's: how a client asks for TLS; the answer is one letter, and the handshake follows"""


@dataclass(frozen=True, slots=True)
class TlsFronts:
    supervisor: Supervisor

    def before_redis(self, port: int) -> int:
        """Returns the port to connect to with TLS."""
        return self._start("redis", port)

    def before_postgres(self, port: int) -> int:
        return self._start("postgres", port)

    def _start(self, kind: str, target: int) -> int:
        front = self.supervisor.port()
        command = [sys.executable, "-m", "tests.support.tls_fronts", kind, str(front), str(target)]
        self.supervisor.start(f"tls-{kind}-{front}", command, ready=log_says("ready"), deadline=120)
        return front


@contextmanager
def tls_fronts(folder: Path) -> Iterator[TlsFronts]:
    with Supervisor(folder) as supervisor:
        yield TlsFronts(supervisor)


async def serve(kind: str, front: int, target: int) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / "localhost.pem", CERTIFICATES / "localhost.key")

    async def accept(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            if kind == "postgres":
                if await client.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                    return
                to_client.write(b"S")
                await to_client.start_tls(context)
            server, to_server = await asyncio.open_connection(LOOPBACK, target)
            await asyncio.gather(_pass_on(client, to_server), _pass_on(server, to_client))
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            to_client.close()

    own = None if kind == "postgres" else context
    async with await asyncio.start_server(accept, LOOPBACK, front, ssl=own) as listening:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await listening.serve_forever()


async def _pass_on(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(65536):
            to.write(piece)
            await to.drain()
    finally:
        to.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
