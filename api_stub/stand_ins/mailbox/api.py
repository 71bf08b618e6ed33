"""Mailpit's JSON API, the part that reads, searches and deletes (https://mailpit.axllent.org/docs/api-v1/)."""

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from api_stub.stand_ins.mailbox import letters
from api_stub.stand_ins.mailbox.search import matches
from api_stub.stand_ins.mailbox.store import Email, Listed, Store

SHOWN_AS_BYTES = ("text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml")
"""Attachments of these kinds could run scripts in our pages' origin; they are only ever downloaded."""


def api(store: Store) -> APIRouter:
    router = APIRouter(prefix="/api/v1")

    @router.get("/messages")
    async def messages(start: int = 0, limit: int = 50) -> dict[str, Any]:
        return _page(store, await store.newest_first(), start, limit)

    @router.delete("/messages")
    async def delete(request: Request) -> Response:
        ids = (await request.json()).get("IDs") if await request.body() else None
        store.delete(ids) if ids else store.delete_all()
        return PlainTextResponse("ok")

    @router.get("/search")
    async def search(query: str, start: int = 0, limit: int = 50) -> Any:
        if not query.strip():
            return JSONResponse({"Error": "no search query"}, status_code=400)
        return _page(store, [listed for listed in await store.newest_first() if matches(listed, query)], start, limit)

    @router.delete("/search")
    async def delete_found(query: str) -> Response:
        store.delete(listed.summary["ID"] for listed in await store.newest_first() if matches(listed, query))
        return PlainTextResponse("ok")

    @router.get("/message/{email_id}")
    async def message(email_id: str) -> dict[str, Any]:
        email = found(store, email_id)
        store.mark_seen(email.id)
        return _message(email)

    @router.get("/message/{email_id}/headers")
    async def headers(email_id: str) -> dict[str, list[str]]:
        return all_headers(found(store, email_id))

    @router.get("/message/{email_id}/raw")
    async def raw(email_id: str) -> Response:
        return Response(found(store, email_id).raw, media_type="text/plain; charset=utf-8")

    @router.get("/message/{email_id}/part/{part_id}")
    async def part(email_id: str, part_id: str) -> Response:
        return _download(found(store, email_id), part_id)

    return router


def found(store: Store, email_id: str) -> Email:
    email = store.get(email_id)
    if email is None:
        raise HTTPException(404, "no such email")
    return email


def all_headers(email: Email) -> dict[str, list[str]]:
    collected: dict[str, list[str]] = {}
    for name, value in letters.read(email.raw).items():
        collected.setdefault(name, []).append(" ".join(str(value).split()))
    return collected


def _page(store: Store, listed: list[Listed], start: int, limit: int) -> dict[str, Any]:
    total, unread = store.counts()
    shown = [one.summary for one in listed[start : start + limit]]
    return {
        "total": total,
        "unread": unread,
        "count": len(shown),
        "messages_count": len(listed),
        "messages_unread": sum(not one.summary["Read"] for one in listed),
        "start": start,
        "tags": [],
        "messages": shown,
    }


def _message(email: Email) -> dict[str, Any]:
    message = letters.read(email.raw)
    parts = letters.parts(message)
    return {
        "ID": email.id,
        "MessageID": letters.message_id(message),
        **letters.people(message, email.recipients),
        "ReturnPath": letters.header(message, "Return-Path").strip("<>") or email.sender,
        "Subject": letters.header(message, "Subject"),
        "ListUnsubscribe": {
            "Header": letters.header(message, "List-Unsubscribe"),
            "Links": [],
            "Errors": "",
            "HeaderPost": "",
        },
        "Date": letters.sent_at(message, email.received_at).isoformat(),
        "Tags": [],
        "Username": email.username,
        "Text": letters.body(message, "plain"),
        "HTML": letters.body(message, "html"),
        "Size": len(email.raw),
        "Inline": [part.as_json() for part in parts if part.inline],
        "Attachments": [part.as_json() for part in parts if not part.inline],
    }


def _download(email: Email, part_id: str) -> Response:
    for part in letters.parts(letters.read(email.raw)):
        if part.part_id == part_id:
            media_type = "application/octet-stream" if part.media_type in SHOWN_AS_BYTES else part.media_type
            response = Response(part.content, media_type=media_type)
            response.headers["X-Content-Type-Options"] = "nosniff"
            response.headers["Content-Disposition"] = _as_attachment(part.filename or part.content_id)
            return response
    raise HTTPException(404, "no such part")


def _as_attachment(filename: str) -> str:
    return f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
