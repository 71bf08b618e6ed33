"""A quote as its customer sees it, read from the tables."""

from sqlalchemy.orm import Session

from api_stub.schemas.lines import line_view
from api_stub.schemas.quotes import QuoteView, totals_view
from models.accounts import Account, Language
from models.orders import Quote


def view(session: Session, quote: Quote, language: Language | None = None) -> QuoteView:
    """The quote, its lines loaded. language: None is its account's."""
    language = language or session.get_one(Account, quote.account_id).language
    return QuoteView(
        id=quote.id,
        account_id=quote.account_id,
        contact_id=quote.contact_id,
        currency=quote.currency,
        lines=[line_view(line, quote.currency, language) for line in quote.lines],
        totals=totals_view(quote, language),
        vat_number=quote.vat_number,
        needs_payment_details=quote.needs_payment_details,
        as_of=quote.as_of,
        expires_at=quote.expires_at,
    )
