"""What every stand-in needs to be a server: options that fall back to the environment, a socket, a graceful end.

An option `--http-port` of a program with the prefix `STANDIN_MAILBOX` may be given as `STANDIN_MAILBOX_HTTP_PORT` instead.
Port 0 takes a free port; the program says on its first line of output which one it got.
Not covered: TLS for HTTP, more than one process on one port.
"""

import asyncio
import socket
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated, cast

import typer
import uvicorn
from fastapi import Request
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


def _usable(data: Path) -> Path:
    try:
        data.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(data, timeout=10)) as file:
            file.execute("BEGIN IMMEDIATE")
    except (OSError, sqlite3.Error) as error:
        raise typer.BadParameter(f"cannot use {data} as data file: {error}") from error
    return data


Host = Annotated[str, typer.Option(help="address to listen on")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one")]
DataFile = Annotated[
    Path,
    typer.Option(help="SQLite file that keeps its state; made where there is none", dir_okay=False, callback=_usable),
]


def run(command: Callable[..., None], *, env_prefix: str) -> None:
    """Take the options of `command` from the command line or the environment, and start it."""
    program = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    program.command(context_settings={"auto_envvar_prefix": env_prefix})(command)
    program()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; ends the program with one clear line where the address cannot be had."""
    try:
        return open_port(host, port)
    except OSError as error:
        raise typer.BadParameter(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


def open_port(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    # The protocol is named because asyncio turns Nagle's algorithm off only then; with it, answers take 40 ms more.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(512)
    except OSError:
        listening.close()
        raise
    return listening


def address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _ConnectionInScope(HttpToolsProtocol):
    """Lets the application break a connection, which HTTP servers rightly do not offer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def reset_connection(request: Request) -> None:
    """Break the client's connection with a TCP RST: no answer, no orderly end."""
    reset_transport(request.scope["state"]["transport"])


def close_connection(request: Request) -> None:
    """Close the client's connection without an answer: the other side sees an end of file."""
    request.scope["state"]["transport"].abort()


def reset_transport(transport: asyncio.BaseTransport) -> None:
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    cast(asyncio.Transport, transport).abort()


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Answer HTTP until SIGTERM or SIGINT; a request that hangs on purpose delays the end by a second at most."""
    config = uvicorn.Config(
        app,
        http=_ConnectionInScope,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        lifespan="on",
    )
    uvicorn.Server(config).run(sockets=[listening])
