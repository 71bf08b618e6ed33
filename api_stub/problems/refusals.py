"""Why a cart cannot be ordered, in words a customer can act on, with a pointer to what they sent."""

from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from api_stub.problems.details import BASE, Problem
from api_stub.problems.refusal_codes import REASONS
from models.accounts import Language
from models.rules.refusals import Refusal, RefusalCode
from models.support_cases import OPEN, SupportCase
from tasks import display_names
from tasks.letters.refusal_texts import refusal_text
from tasks.quotes.quoting import CartRefused
from tasks.wiring import policy


def problem(session: Session, refused: CartRefused) -> Problem:
    """The answer to a refused cart, in the account's language. Support cases opened for it are found in `session`."""
    reasons = [_reason(session, refused, refusal) for refusal in refused.refusals]
    first = refused.refusals[0]
    return Problem(422, first.code.value, str(reasons[0]["detail"]), refusals=reasons)


def about_field(
    session: Session, refusal: Refusal, language: Language, *, at: str | None = None, to_do: str | None = None
) -> Problem:
    """The answer to what is refused before it is a cart's order, in the account's language.

    at: pointer to what was sent. to_do: what the upstream is to do about it, in English, for `errors`.
    """
    names = display_names.of_products(session, [str(refusal.facts.get("product", ""))])
    detail = refusal_text(refusal, language=language, seller=policy().seller, names=names)
    at = at or pointer(refusal)
    reason = {**refusal.facts, "type": BASE + refusal.code.value, "pointer": at, "detail": detail}
    return Problem(
        422, refusal.code.value, detail, refusals=[reason], errors=[{"pointer": at, "detail": to_do or detail}]
    )


def pointer(refusal: Refusal) -> str:
    field = REASONS[refusal.code].field
    if refusal.code is RefusalCode.NOT_FOR_SALE and not refusal.facts["intervals"]:
        field = "/tier"
    return field if refusal.line is None else f"/lines/{refusal.line}{field}"


def _reason(session: Session, refused: CartRefused, refusal: Refusal) -> dict[str, Any]:
    facts = _facts(session, refused, refusal)
    detail = refusal_text(
        replace(refusal, facts=facts),
        language=refused.facts.account.language,
        seller=policy().seller,
        names=display_names.of_products(session, [str(facts.get("product", ""))]),
    )
    return {
        **facts,
        "type": BASE + refusal.code.value,
        "pointer": pointer(refusal),
        "detail": detail,
    }


def _facts(session: Session, refused: CartRefused, refusal: Refusal) -> dict[str, Any]:
    facts = dict(refusal.facts)
    if refusal.code is RefusalCode.CORPORATE_ACCOUNT:
        facts["portal_url"] = policy().seller.corporate_portal_url
    if refusal.code is RefusalCode.LOWER_TIER:
        query = select(SupportCase.number).where(
            SupportCase.account_id == refused.facts.account.id,
            SupportCase.product_code == facts["product"],
            SupportCase.to_tier == facts["to_tier"],
            OPEN,
        )
        if number := session.scalar(query):
            facts["support_case"] = str(number)
    return facts
