"""What every stand-in needs to be a server: flags that fall back to the environment, a socket, a graceful end.

A flag `--http-port` of a program with the prefix `STANDIN_MAILBOX` may be given as `STANDIN_MAILBOX_HTTP_PORT` instead.
Port 0 takes a free port; the program says on its first line of output which one it got.
Not covered: TLS for HTTP, more than one process on one port.
"""

import argparse
import asyncio
import os
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, cast

import uvicorn
from fastapi import Request
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Flags:
    """Command-line flags, each with an environment variable of the same name behind it."""

    def __init__(self, program: str, description: str, env_prefix: str) -> None:
        self._parser = argparse.ArgumentParser(
            prog=f"python -m {program}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        self._prefix = env_prefix

    def add(self, flag: str, read: Callable[[str], Any], default: str, meaning: str) -> None:
        """`read` turns the text into the value, or raises ValueError with a sentence saying what is wrong."""
        variable = f"{self._prefix}_{flag.upper().replace('-', '_')}"

        def checked(text: str) -> Any:
            try:
                return read(text)
            except ValueError as error:
                raise argparse.ArgumentTypeError(f"{error} (flag --{flag}, environment {variable})") from error

        self._parser.add_argument(
            f"--{flag}",
            type=checked,
            default=os.environ.get(variable, default),
            help=f"{meaning} [{variable}, default {default or 'none'}]",
        )

    def read(self, argv: list[str] | None = None) -> argparse.Namespace:
        return self._parser.parse_args(argv)

    def refuse(self, reason: str) -> NoReturn:
        self._parser.error(reason)


def port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise ValueError(f"{text!r} is not a port: a whole number from 0 (any free one) to 65535")
    return int(text)


def data_file(text: str) -> Path:
    """A file to keep state in, made if it is not there; its folder is made too."""
    path = Path(text)
    if not text or path.is_dir():
        raise ValueError(f"{text!r} is not a file to keep state in")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise ValueError(f"cannot write {text!r}: {error.strerror}") from error
    return path


def one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is not one of {', '.join(words)}")
        return text

    return read


def listen(host: str, port: int, flags: Flags) -> socket.socket:
    """A listening socket; ends the program with one clear line where the address cannot be had."""
    try:
        return open_port(host, port)
    except OSError as error:
        flags.refuse(f"cannot listen on {host}:{port}: {error.strerror or error}")


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


def announce(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


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
