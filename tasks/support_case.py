"""A lower tier cannot be ordered online: the request goes to support, with its details, once."""

from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models.base import uuid7
from models.rules.refusals import RefusalCode
from models.subscriptions import SupportCase
from tasks.quoting import CartRefused


def open_cases(session: Session, refused: CartRefused) -> None:
    """Open a case for each request for a lower tier, unless the same one is open already."""
    account, contact = refused.facts.account, refused.facts.contact
    if contact is None:
        return
    for refusal in refused.refusals:
        if refusal.code is not RefusalCode.LOWER_TIER:
            continue
        product = str(refusal.facts["product"])
        held = refused.facts.subscriptions[product]
        billed = f"billed per {held.interval}" if held.interval else "on a trial"
        text = (
            f"{account.name} asks to move {product} from {held.tier_code} to {refusal.facts['to_tier']} "
            f"({held.seats} seats, {billed}, period ends {held.period_end.isoformat()}). "
            f"Asked by {contact.name}."
        )
        session.execute(
            upsert(SupportCase)
            .values(
                id=uuid7(),
                account_id=account.id,
                contact_id=contact.id,
                product_code=product,
                from_tier=held.tier_code,
                to_tier=str(refusal.facts["to_tier"]),
                seats=held.seats,
                text=text,
            )
            .on_conflict_do_nothing()
        )
