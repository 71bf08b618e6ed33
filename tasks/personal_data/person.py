"""Whose data it is: somebody with an email address, and where that address stands in texts."""

import re
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.accounts import Contact
from models.subscriptions import SeatAssignment, Subscription

ANOTHER_ADDRESS: Final = "(another address)"
_ADDRESS: Final = re.compile(r"[^\s@<>()\[\],;:\"]{0,320}@[\w.-]*")
"""what may be one, for it to be cut: rather too much of the text than too little"""


@dataclass(frozen=True, slots=True)
class Person:
    email: str
    """in lower case, as everywhere: one person, however the address is written"""
    contacts: Sequence[UUID] = ()
    """at most one of each account"""
    accounts: Sequence[UUID] = ()
    """those of the contacts, and those whose seats the person has or had"""

    def is_named_in(self, text: str) -> bool:
        """Whether the address stands there, not only as a part of another one."""
        address = rf"(?<![\w.!#$%&'*+/=?^`{{|}}~-]){re.escape(self.email)}(?![\w-]|\.\w)"
        return re.search(address, text.lower()) is not None

    def may_be_named_in(self, text: str) -> bool:
        """Whether the address stands in what somebody typed: any quote or punctuation may enclose it there, though it may be part of a longer address, too."""
        return re.search(rf"(?<![^\W_]){re.escape(self.email)}(?![^\W_])", text.lower()) is not None

    def alone_in(self, text: str) -> str:
        """The text without anybody else's address."""

        def told(found: re.Match[str]) -> str:
            own = self.email in (found[0].lower(), found[0].strip(string.punctuation).lower())
            return found[0] if own else ANOTHER_ADDRESS

        return _ADDRESS.sub(told, text)


def person(session: Session, email: str) -> Person:
    """The person as the tables have them now: without contacts or accounts where they have none."""
    contacts = session.execute(select(Contact.id, Contact.account_id).where(Contact.email == email)).all()
    seats = select(Subscription.account_id).join(SeatAssignment, SeatAssignment.subscription_id == Subscription.id)
    accounts = {account for _, account in contacts} | set(
        session.scalars(seats.where(SeatAssignment.user_email == email))
    )
    return Person(email, tuple(contact for contact, _ in contacts), tuple(sorted(accounts)))


def texts(facts: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    match facts:
        case str():
            yield facts
        case list():
            for each in facts:
                yield from texts(each)
        case dict():
            for each in facts.values():
                yield from texts(each)


def with_texts(facts: Any, told: Callable[[str], str]) -> Any:
    """A JSON value in which each text is replaced by what `told` makes of it."""
    match facts:
        case str():
            return told(facts)
        case list():
            return [with_texts(each, told) for each in facts]
        case dict():
            return {name: with_texts(value, told) for name, value in facts.items()}
        case _:
            return facts


def named_in(facts: Any, of: Person) -> list[str]:
    """The texts in a JSON value that name the person."""
    return [text for text in texts(facts) if of.is_named_in(text)]
