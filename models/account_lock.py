"""The row lock that serializes changes to an account's balance, subscriptions, periods, cart and contacts' right to order.

Neither placing an order nor issuing a key waits for it: a row that refers to the account needs only its key, which this lock (FOR NO KEY UPDATE) leaves free.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from models.accounts import Account
from models.prepared import Prepared

_LOCK = Prepared[UUID](select(Account.id).where(Account.id == bindparam("account")).with_for_update(key_share=True))


def lock_account(session: Session, account_id: UUID) -> None:
    """Held until the end of the transaction."""
    _LOCK.run(session, {"account": account_id})


def lock_accounts(session: Session, account_ids: Collection[UUID]) -> None:
    """The same for several, in the order of their ids, as everybody who locks several: so no two wait for each other."""
    query = select(Account.id).where(Account.id.in_(account_ids)).order_by(Account.id)
    session.execute(query.with_for_update(key_share=True))
