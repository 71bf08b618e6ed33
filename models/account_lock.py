"""The lock at which those who change an account's balance, subscriptions or periods wait for each other.

Who places an order does not: a row that refers to the account needs only its key, which this leaves free.
"""

from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from models.accounts import Account
from models.prepared import Prepared

_LOCK = Prepared[UUID](select(Account.id).where(Account.id == bindparam("account")).with_for_update(key_share=True))


def lock_account(session: Session, account_id: UUID) -> None:
    """Until the end of the transaction."""
    _LOCK.run(session, {"account": account_id})
