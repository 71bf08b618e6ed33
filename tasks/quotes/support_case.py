"""A lower tier cannot be ordered online: the request goes to support, with its details. The open case is the latest wish."""

from collections.abc import Sequence
from datetime import UTC

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models.accounts import NOT_ERASED, Contact
from models.base import uuid7
from models.cart_facts import CartFacts
from models.rules.cart import CartLine
from models.rules.period import Interval
from models.rules.refusals import RefusalCode
from models.support_cases import OPEN, SupportCase
from tasks.plain_text import one_line
from tasks.quotes.quoting import CartRefused


def open_cases(session: Session, cart: Sequence[CartLine], refused: CartRefused) -> None:
    """Open a case for each line of `cart` that asks for a lower tier. One that is open already keeps its number and says what is so now."""
    contact = _still_there(session, refused.facts.contact)
    if contact is None:
        return
    lower = [
        (cart[refusal.line], str(refusal.facts["to_tier"]))
        for refusal in refused.refusals
        if refusal.code is RefusalCode.LOWER_TIER and refusal.line is not None
    ]
    lower.sort(key=lambda each: (each[0].product, each[1]))  # else two carts could wait for each other
    for wish, to_tier in lower:
        _open(session, refused.facts, contact, wish, to_tier)


def _still_there(session: Session, contact: Contact | None) -> Contact | None:
    """The contact, whom nobody can erase until the transaction ends. None if there is none: then the cart was refused for that alone."""
    if contact is None:
        return None
    there = select(Contact).where(Contact.id == contact.id, NOT_ERASED)
    return session.scalar(there.with_for_update(key_share=True, read=True))


def _open(session: Session, facts: CartFacts, contact: Contact, wish: CartLine, to_tier: str) -> None:
    held = facts.subscriptions[wish.product]
    case = {"account_id": facts.account.id, "product_code": wish.product, "to_tier": to_tier}
    latest = {
        "contact_id": contact.id,
        "from_tier": held.tier_code,
        "seats": held.seats,
        "text": _text(facts, contact, wish, to_tier),
        "asked_at": func.now(),
    }
    session.execute(
        upsert(SupportCase)
        .values(id=uuid7(), **case, **latest)
        .on_conflict_do_update(index_elements=list(case), index_where=OPEN, set_=latest)
    )


def _text(facts: CartFacts, contact: Contact, wish: CartLine, to_tier: str) -> str:
    """A line for each fact. No name may pose as another of them, so each is kept to its line."""
    held, assigned = facts.subscriptions[wish.product], facts.buyer.held[wish.product].assigned
    return "\n".join(
        (
            f"{one_line(facts.account.name)} asks to move {wish.product} to a lower tier.",
            f"Has: {_plan(held.tier_code, held.seats, held.interval)}, {assigned} assigned, "
            f"period ends {held.period_end.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
            f"Wishes: {_plan(to_tier, wish.seats or held.seats, wish.interval or held.interval)}",
            f"Asked by: {one_line(contact.name)} <{one_line(contact.email)}>",
        )
    )


def _plan(tier: str, seats: int, interval: Interval | None) -> str:
    billed = f"billed per {interval}" if interval else "on a trial"
    return f"{tier}, {seats} {'seat' if seats == 1 else 'seats'}, {billed}"
