"""A quote as its customer sees it, read from the tables."""

from sqlalchemy.orm import Session

from api_stub.schemas.lines import line_view
from api_stub.schemas.quotes import QuoteView, totals_view
from models.accounts import Account
from models.orders import Quote


def view(session: Session, quote: Quote) -> QuoteView:
    """The quote, its lines loaded, in its account's language."""
    language = session.get_one(Account, quote.account_id).language
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
