"""The page the cardholder's bank would show: authenticate, or fail; then back to the merchant's `return_url`."""

import html
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api_stub.stand_ins.stripe import confirmation
from api_stub.stand_ins.stripe.currencies import display
from api_stub.stand_ins.stripe.errors import JsonObject
from api_stub.stand_ins.stripe.ledger import Ledger
from api_stub.stand_ins.stripe.store import Store

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>3-D Secure</title><style>body{{font:1rem/1.5 system-ui;max-width:26rem;margin:4rem auto;padding:0 1rem}}
button{{font:inherit;padding:.6rem 1rem;margin:.5rem .5rem 0 0}}</style>
<h1>3-D Secure</h1><p>{text}</p>{form}</html>"""
_FORM = """<form method="post"><button name="outcome" value="succeed">Authenticate</button>
<button name="outcome" value="fail">Fail authentication</button></form>"""


@dataclass(frozen=True)
class AuthenticationPage:
    store: Store

    async def show(self, request: Request) -> Response:
        intent = await self.store.run(lambda ledger: _entitled(ledger, request))
        if intent is None:
            return _page("There is no such payment.", status=404)
        if intent["status"] != "requires_action":
            return _page(f"Nothing to authenticate: the payment is {intent['status']}.")
        return _page(f"Pay {display(intent['amount'], intent['currency'])}?", form=_FORM)

    async def answer(self, request: Request) -> Response:
        outcome = parse_qs((await request.body()).decode(errors="replace")).get("outcome", [""])[0]
        if outcome not in ("succeed", "fail"):
            return _page("Choose one of the two.", status=400, form=_FORM)
        before, after = await self.store.run(lambda ledger: _decide(ledger, request, outcome))
        if before is None or after is None:
            return _page("There is no such payment.", status=404)
        if before["status"] != "requires_action":
            return _page(f"Nothing to authenticate: the payment is {before['status']}.", status=409)
        action = before["next_action"]
        if action["type"] != "redirect_to_url":
            return _page(f"The payment is {after['status']}.")
        return RedirectResponse(_return_url(action["redirect_to_url"]["return_url"], after), status_code=303)


def _entitled(ledger: Ledger, request: Request) -> JsonObject | None:
    intent = ledger.find("payment_intent", request.path_params["intent"])
    given = request.query_params.get("ticket", "")
    if intent is None or not secrets.compare_digest(confirmation.ticket(intent).encode(), given.encode()):
        return None
    return intent


def _decide(ledger: Ledger, request: Request, outcome: str) -> tuple[JsonObject | None, JsonObject | None]:
    before, intent = _entitled(ledger, request), _entitled(ledger, request)
    if intent is None or intent["status"] != "requires_action":
        return before, intent
    method = ledger.find("payment_method", intent["payment_method"])
    if method is not None and outcome == "succeed":
        confirmation.settle(ledger, intent, method, None)
    elif method is not None:
        confirmation.fail_authentication(ledger, intent, method)
    return before, intent


def _return_url(url: str, intent: JsonObject) -> str:
    status = "succeeded" if intent["status"] == "succeeded" else "failed"
    query = {
        "payment_intent": intent["id"],
        "payment_intent_client_secret": intent["client_secret"],
        "redirect_status": status,
    }
    return url + ("&" if urlsplit(url).query else "?") + urlencode(query)


def _page(text: str, *, status: int = 200, form: str = "") -> HTMLResponse:
    return HTMLResponse(_PAGE.format(text=html.escape(text), form=form), status)
