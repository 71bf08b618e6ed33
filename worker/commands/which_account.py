"""The account that a person names on the command line."""

from sqlalchemy.orm import Session

from models.accounts import Account
from models.cart_facts import UnknownAccount
from worker.loading.accounts_file import account_called


def account_named(session: Session, which: str) -> Account:
    """By its code in the accounts file, or by its id. Raises UnknownAccount."""
    account = session.get(Account, account_called(which))
    if account is None:
        raise UnknownAccount(f"there is no account {which.strip() or repr(which)}")
    return account
