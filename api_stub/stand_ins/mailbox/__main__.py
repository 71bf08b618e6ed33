"""`python -m api_stub.stand_ins.mailbox`: takes emails by SMTP, shows them by JSON and in the browser."""

import argparse
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api_stub.stand_ins.fault_book import FaultBook
from api_stub.stand_ins.mailbox.api import api
from api_stub.stand_ins.mailbox.control import control
from api_stub.stand_ins.mailbox.pages import pages
from api_stub.stand_ins.mailbox.receiving import Dialogue, Inbox, Listener
from api_stub.stand_ins.mailbox.store import Store
from api_stub.stand_ins.serving import Flags, address, announce, data_file, listen, one_of, port, serve
from api_stub.stand_ins.state import open_state


def main() -> None:
    flags = Flags("api_stub.stand_ins.mailbox", __doc__ or "", "STANDIN_MAILBOX")
    flags.add("host", str, "127.0.0.1", "address to listen on")
    flags.add("smtp-port", port, "1025", "port for SMTP")
    flags.add("http-port", port, "8025", "port for JSON and pages")
    flags.add("data", data_file, "mailbox.sqlite3", "file that keeps emails and faults")
    flags.add(
        "tls", one_of("none", "starttls", "implicit"), "none", "none, starttls (and nothing without it) or implicit"
    )
    flags.add("certificate", str, "", "PEM file with the server's certificate, for TLS")
    flags.add("key", str, "", "PEM file with its private key")
    flags.add("user", str, "", "user name to ask for; none asks for no login")
    flags.add("password", str, "", "password to ask for")
    flags.add("smtputf8", one_of("yes", "no"), "yes", "whether addresses may hold letters outside ASCII")
    settings = flags.read()
    dialogue = _dialogue(settings, flags)
    smtp, http = (listen(settings.host, number, flags) for number in (settings.smtp_port, settings.http_port))
    state = open_state(settings.data)
    store, faults = Store(state), FaultBook(state)
    listener = Listener(smtp, Inbox(store, faults), dialogue)
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    announce(f"mailbox: smtp://{address(smtp)} and http://{address(http)}")
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
    app.include_router(control(faults, listener))
    app.include_router(pages(store))
    for path in ("/healthz", "/readyz", "/livez"):
        app.add_api_route(path, lambda: {"status": "ok"}, methods=["GET"])
    return app


def _dialogue(settings: argparse.Namespace, flags: Flags) -> Dialogue:
    if bool(settings.user) != bool(settings.password):
        flags.refuse("--user and --password go together")
    context = None
    if settings.tls != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(settings.certificate, settings.key or None)
        except OSError as error:
            flags.refuse(f"--tls {settings.tls} needs --certificate and --key: {error}")
    return Dialogue(
        starttls=context if settings.tls == "starttls" else None,
        implicit_tls=context if settings.tls == "implicit" else None,
        login=(settings.user, settings.password) if settings.user else None,
        smtputf8=settings.smtputf8 == "yes",
    )


if __name__ == "__main__":
    main()
