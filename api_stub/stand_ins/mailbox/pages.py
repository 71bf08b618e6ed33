"""The mailbox in the browser: the list, and each email with its text, HTML, attachments and headers.

The HTML of an email is somebody else's: it is shown in a sandboxed frame, without scripts and without anything loaded
from outside, and links in it open in a new tab.
"""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from fastapi.templating import Jinja2Templates

from api_stub.stand_ins.mailbox import letters
from api_stub.stand_ins.mailbox.api import all_headers, found
from api_stub.stand_ins.mailbox.search import matches
from api_stub.stand_ins.mailbox.store import Email, Store

FOLDER = Path(__file__).parent / "templates"
SHOWN = 200

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; frame-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
LETTER_HEADERS = {
    "Content-Security-Policy": (
        "sandbox allow-popups allow-popups-to-escape-sandbox;"
        " default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; font-src data:"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def pages(store: Store) -> APIRouter:
    router = APIRouter(default_response_class=HTMLResponse)
    templates = Jinja2Templates(directory=FOLDER)

    def page(request: Request, name: str, **context: Any) -> Response:
        total, unread = store.counts()
        return templates.TemplateResponse(
            request, name, {"total": total, "unread": unread, **context}, headers=PAGE_HEADERS
        )

    @router.get("/")
    async def listing(request: Request, query: str = "") -> Response:
        listed = [one.summary for one in await store.newest_first() if matches(one, query)]
        return page(request, "list.html", emails=listed[:SHOWN], found=len(listed), query=query)

    @router.get("/view/{email_id}")
    async def email(request: Request, email_id: str) -> Response:
        if email_id.endswith(".html"):
            return _letter(found(store, email_id.removesuffix(".html")))
        if email_id.endswith(".txt"):
            text = letters.body(letters.read(found(store, email_id.removesuffix(".txt")).raw), "plain")
            return PlainTextResponse(text)
        one = found(store, email_id)
        store.mark_seen(one.id)
        return page(request, "message.html", email=one, **_shown(one))

    @router.get("/pages.css")
    async def style() -> Response:
        return Response((FOLDER / "pages.css").read_text("utf-8"), media_type="text/css")

    return router


def _shown(email: Email) -> dict[str, Any]:
    message = letters.read(email.raw)
    return {
        "subject": letters.header(message, "Subject"),
        "people": letters.people(message, email.recipients),
        "sent_at": letters.sent_at(message, email.received_at),
        "language": letters.header(message, "Content-Language"),
        "text": letters.body(message, "plain"),
        "has_html": bool(letters.body(message, "html")),
        "parts": letters.parts(message),
        "headers": all_headers(email),
    }


def _letter(email: Email) -> Response:
    message = letters.read(email.raw)
    html = letters.body(message, "html")
    for part in letters.parts(message):
        if part.content_id:
            html = html.replace(f"cid:{part.content_id}", f"/api/v1/message/{email.id}/part/{part.part_id}")
    return HTMLResponse(f'<base target="_blank">{html}', headers=LETTER_HEADERS)
