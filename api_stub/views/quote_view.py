"""A quote as its customer sees it, read from the tables."""

from sqlalchemy.orm import Session

from api_stub.schemas.quotes import QuoteView, quote_view
from models.accounts import Account
from models.orders import Quote


def view(session: Session, quote: Quote) -> QuoteView:
    """The quote, its lines loaded, in its account's language."""
    return quote_view(quote, session.get_one(Account, quote.account_id).language)
