"""`python -m api_stub.stand_ins.mailbox`; every option also as STANDIN_MAILBOX_<OPTION>."""

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from fastapi import FastAPI

from api_stub.stand_ins.fault_book import FaultBook
from api_stub.stand_ins.mailbox.api import api
from api_stub.stand_ins.mailbox.control import control
from api_stub.stand_ins.mailbox.pages import pages
from api_stub.stand_ins.mailbox.receiving import Dialogue, Inbox, Listener
from api_stub.stand_ins.mailbox.store import Store
from api_stub.stand_ins.serving import DataFile, Host, Port, address, listen, run, serve
from api_stub.stand_ins.state import open_state


def main(
    host: Host = "127.0.0.1",
    smtp_port: Port = 1025,
    http_port: Port = 8025,
    data: DataFile = Path("mailbox.sqlite3"),
    tls: Annotated[
        Literal["none", "starttls", "implicit"], typer.Option(help="starttls: and nothing without it")
    ] = "none",
    certificate: Annotated[str, typer.Option(help="PEM file with the server's certificate, for TLS")] = "",
    key: Annotated[str, typer.Option(help="PEM file with its private key")] = "",
    user: Annotated[str, typer.Option(help="user name to ask for; none asks for no login")] = "",
    password: Annotated[str, typer.Option(help="password to ask for")] = "",
    smtputf8: Annotated[
        Literal["yes", "no"], typer.Option(help="whether addresses may hold letters outside ASCII")
    ] = "yes",
) -> None:
    """Take emails by SMTP, show them by JSON and in the browser. Emails and faults are in the data file."""
    if bool(user) != bool(password):
        raise typer.BadParameter("--user and --password go together")
    trust = None if tls == "none" else _server_side(tls, certificate, key)
    dialogue = Dialogue(
        starttls=trust if tls == "starttls" else None,
        implicit_tls=trust if tls == "implicit" else None,
        login=(user, password) if user else None,
        smtputf8=smtputf8 == "yes",
    )
    smtp, http = listen(host, smtp_port), listen(host, http_port)
    state = open_state(data)
    store, faults = Store(state), FaultBook(state)
    listener = Listener(smtp, Inbox(store, faults), dialogue)
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    typer.echo(f"mailbox: smtp://{address(smtp)} and http://{address(http)}")
    serve(_application(store, faults, listener), http)


def _application(store: Store, faults: FaultBook, listener: Listener) -> FastAPI:
    @asynccontextmanager
    async def receiving(_app: FastAPI) -> AsyncIterator[None]:
        down = any(fault.kind == "down" for fault in faults.all())
        await (listener.close() if down else listener.open())
        yield
        await listener.close()

    app = FastAPI(title="Mailbox", lifespan=receiving)
    app.include_router(api(store))
    app.include_router(control(store, faults, listener))
    app.include_router(pages(store))
    for path in ("/healthz", "/readyz", "/livez"):
        app.add_api_route(path, lambda: {"status": "ok"}, methods=["GET"])
    return app


def _server_side(tls: str, certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key or None)
    except OSError as error:
        raise typer.BadParameter(f"--tls {tls} needs --certificate and --key: {error}") from error
    return context


if __name__ == "__main__":
    run(main, env_prefix="STANDIN_MAILBOX")
