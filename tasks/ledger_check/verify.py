"""`verify`: all checks over all accounts, or one; the list of what differs, empty where everything agrees."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from tasks.ledger_check.balances import check_balances, check_order_balance
from tasks.ledger_check.books import Books, read
from tasks.ledger_check.chains import check_chains
from tasks.ledger_check.differences import Difference, Found
from tasks.ledger_check.documents import check_documents, check_numbers
from tasks.ledger_check.lines import check_lines
from tasks.ledger_check.payments import check_payments

LONGEST_CHECK = timedelta(minutes=10)
"""between two queries: the checks of a batch's books run in our own process, and PostgreSQL hears nothing meanwhile"""


def of_one_moment(session: Session) -> Session:
    """Orders may be at work meanwhile: all that is read is as it was when reading began. Before the session's first statement.

    Until its transaction ends, it may say nothing for as long as a batch's checks take. Others' may not, for they hold locks that
    somebody waits for; this one only keeps PostgreSQL from clearing up, hence a limit all the same.
    """
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    session.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{LONGEST_CHECK.total_seconds():.0f}s'"))
    return session


def verify(session: Session, account_id: UUID | None = None) -> list[Difference]:
    """Reads only. Where orders are at work meanwhile, give it a session of isolation REPEATABLE READ: one moment for all it reads."""
    found = [difference for books in read(session, account_id) for difference in _check(books)]
    return found + (list(check_numbers(session)) if account_id is None else [])


def _check(books: Books) -> Found:
    yield from check_balances(books)
    for book in books.orders.values():
        yield from check_lines(books, book)
        yield from check_order_balance(book)
        yield from check_payments(book)
        yield from check_documents(book)
    yield from check_chains(books)
