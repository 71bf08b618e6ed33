"""Erases a person's data, all that may be erased at once, and records that without recording whose it was."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.account_lock import lock_accounts
from models.accounts import Account, Contact
from models.base import uuid7
from models.erasures import Erasure
from models.errors import Explained
from models.orders import Order, Quote
from tasks.personal_data.finding import theirs
from tasks.personal_data.holdings import HOLDINGS, count, find
from tasks.personal_data.obstacles import obstacles
from tasks.personal_data.person import Person, person
from tasks.plain_text import name_typed, typed
from tasks.snapshot import of_one_moment
from tasks.wiring import begin, now

log = structlog.get_logger(__name__)


class NotErasable(Explained):
    """Nothing was erased; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Erased:
    rows: Mapping[str, Sequence[UUID]]
    """by kind of data, ids of the rows in which the person is erased"""
    stays: Mapping[str, int]
    """by kind of data, how many rows stay as they are"""
    customers: Sequence[str]
    """ids of customers at the payment provider, which may have the address, too"""
    erasure_id: UUID | None = None
    """of the record; None if nothing was erased"""


def preview(email: str) -> Erased:
    """What `erase` would do. Raises NotErasable."""
    with begin() as session:
        of = person(of_one_moment(session), email)
        _refuse_what_is_needed(session, of)
        found = {kind.name: find(session, kind, of) for kind in HOLDINGS if kind.erase}
        return Erased(_ids(found), _staying(session, of), _customers(session, of))


def erase(email: str, *, by: str, why: str) -> Erased:
    """Erase the person with this address, in lower case, in one transaction. Once more does nothing. Raises NotErasable."""
    by, why = name_typed(by), typed(why)
    with begin() as session:  # without locks, because it reads all notifications
        stays = _staying(session, person(of_one_moment(session), email))
    with begin() as session:
        of = _lock(session, email)
        if of.may_be_named_in(by) or _names(session, why, of):
            raise NotErasable(
                "Nothing was erased: name the person neither in --why nor in --by, because both are kept."
            )
        _expire_quotes(session, of)
        _refuse_what_is_needed(session, of)
        customers = _customers(session, of)
        found = {kind.name: find(session, kind, of, lock=True) for kind in HOLDINGS if kind.erase}
        # Once more, as a seat at an account that is not locked may have been given before its row was found.
        _refuse_what_is_needed(session, of)
        if not any(found.values()):
            return Erased(_ids(found), stays, customers)
        for kind in HOLDINGS:
            if kind.erase is not None:
                for row in found[kind.name]:
                    kind.erase(row, of)
        rows = {name: [str(each) for each in ids] for name, ids in _ids(found).items() if ids}
        record = Erasure(id=uuid7(), erased_at=now(), erased_by=by, erased_why=why, rows=rows)
        session.add(record)
    log.info("person erased", erasure_id=str(record.id), account_ids=[str(each) for each in of.accounts], rows=rows)
    return Erased(_ids(found), stays, customers, record.id)


def _lock(session: Session, email: str) -> Person:
    """Keep others from changing the contacts, and from ordering in their name: a new row that refers to one has to wait."""
    before = person(session, email)
    lock_accounts(session, before.accounts)
    session.execute(select(Contact.id).where(Contact.id.in_(before.contacts)).order_by(Contact.id).with_for_update())
    return person(session, email)


def _names(session: Session, text: str, of: Person) -> bool:
    """Whether a text names the person, by address or by the name that a contact has."""
    names = session.scalars(select(Contact.name).where(Contact.id.in_(of.contacts)))
    return of.may_be_named_in(text) or any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.I) for name in names)


def _expire_quotes(session: Session, of: Person) -> None:
    """An order placed on one would be rejected in its first step; so that is said sooner."""
    ordered = select(Order.id).where(Order.quote_id == Quote.id).exists()
    offered = theirs(Quote, of), Quote.expires_at > now(), ~ordered
    session.execute(update(Quote).where(*offered).values(expires_at=Quote.as_of))


def _refuse_what_is_needed(session: Session, of: Person) -> None:
    """Raises NotErasable."""
    if reasons := obstacles(session, of):
        raise NotErasable("Nothing was erased, because this person's data is still needed for:\n" + "\n".join(reasons))


def _ids(found: Mapping[str, Sequence[Any]]) -> dict[str, list[UUID]]:
    return {name: [row[0].id for row in rows] for name, rows in found.items()}


def _staying(session: Session, of: Person) -> dict[str, int]:
    return {kind.name: count(session, kind, of) for kind in HOLDINGS if not kind.erase}


def _customers(session: Session, of: Person) -> list[str]:
    refs = select(Account.customer_ref).join(Contact, Contact.account_id == Account.id)
    refs = refs.where(Contact.id.in_(of.contacts), Account.customer_ref.is_not(None))
    return [ref for ref in session.scalars(refs) if ref is not None]
