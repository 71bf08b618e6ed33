"""`verify`: all checks over all accounts, or one; the list of what differs, empty where everything agrees."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.accounts import Account
from tasks.ledger_check.balances import check_balances, check_order_balance
from tasks.ledger_check.books import Books
from tasks.ledger_check.chains import Sold, check_chains, of_order
from tasks.ledger_check.differences import Difference, Found
from tasks.ledger_check.documents import check_documents, check_numbers
from tasks.ledger_check.lines import check_lines
from tasks.ledger_check.notes import check_notes
from tasks.ledger_check.payments import check_payments
from tasks.ledger_check.quotes import check_quote
from tasks.ledger_check.reading import read
from tasks.ledger_check.receivables import check_receivables
from tasks.ledger_check.vat_answers import check_vat_answer


def verify(session: Session, account_id: UUID | None = None) -> list[Difference]:
    """All differences; reads only. While orders are being processed, pass a session from `tasks.snapshot.of_one_moment`, so that all it reads is one snapshot."""
    return [difference for found in step_by_step(session, account_id) for difference in found]


def step_by_step(session: Session, account_id: UUID | None) -> Iterator[list[Difference]]:
    """What `verify` finds: of each account; and last, unless only one is asked for, among the numbers of documents."""
    for books in read(session, account_id):
        yield list(_check(books))
    if account_id is None:
        yield list(check_numbers(session))


def steps(session: Session, account_id: UUID | None) -> int:
    if account_id is not None:
        return 1
    return session.scalars(select(func.count()).select_from(Account)).one() + 1


def _check(books: Books) -> Found:
    yield from check_balances(books)
    sold = dict[UUID, Sold]()
    for book in books.orders:
        yield from check_quote(book)
        yield from check_lines(book)
        yield from check_order_balance(book)
        yield from check_notes(book)
        yield from check_payments(book)
        yield from check_receivables(book)
        yield from check_documents(book)
        yield from check_vat_answer(book)
        sold[book.order.id] = of_order(book)
    yield from check_chains(books, sold)
