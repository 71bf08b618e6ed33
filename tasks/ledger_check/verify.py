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
from tasks.ledger_check.notes import check_notes
from tasks.ledger_check.payments import check_payments
from tasks.ledger_check.quotes import check_quote
from tasks.ledger_check.receivables import check_receivables

LONGEST_CHECK = timedelta(minutes=10)
"""idle time allowed between two queries: while a batch is checked in our process, its transaction sends nothing to PostgreSQL"""


def of_one_moment(session: Session) -> Session:
    """Make the session read one snapshot, taken when reading begins, even while orders are processed. Call before its first statement.

    Its transaction may stay idle for as long as a batch's checks take. Other transactions may not, because others wait for their locks.
    This one only delays VACUUM, hence a limit all the same.
    """
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    session.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{LONGEST_CHECK.total_seconds():.0f}s'"))
    return session


def verify(session: Session, account_id: UUID | None = None) -> list[Difference]:
    """All differences; reads only. While orders are being processed, pass a session from `of_one_moment`, so that all it reads is one snapshot."""
    found = [difference for books in read(session, account_id) for difference in _check(books)]
    return found + (list(check_numbers(session)) if account_id is None else [])


def _check(books: Books) -> Found:
    yield from check_balances(books)
    for book in books.orders.values():
        yield from check_quote(book)
        yield from check_lines(books, book)
        yield from check_order_balance(book)
        yield from check_notes(book)
        yield from check_payments(book)
        yield from check_receivables(book)
        yield from check_documents(book)
    yield from check_chains(books)
