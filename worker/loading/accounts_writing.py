"""Writes what an accounts file says of accounts and contacts and the database does not, in portions, so that nobody waits long for an account."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from models import ledger
from models.account_lock import lock_accounts
from models.accounts import Account, Contact
from tasks.errors import keeping
from tasks.wiring import begin
from worker.loading import known_accounts
from worker.loading.accounts_file import AccountListed, contact_id
from worker.loading.known_accounts import Known
from worker.loading.readable_file import FileRefused, Problem

PORTION = 200
"""accounts that are read together, or written in one transaction, which keeps them locked: some tenths of a second"""
Tell = Callable[[str], object]


class LoadedInPart(FileRefused):
    """The problems were found after part of the file had been loaded."""

    def __init__(self, file: Path, problems: Collection[Problem], loaded: str) -> None:
        super().__init__(file, problems)
        self.args = (
            f"{self}\nLoaded all the same: {loaded}. Fix the file and load it again; nothing is loaded twice.",
        )


def write(file: Path, differing: Sequence[AccountListed], tell: Tell) -> None:
    """In the order of their ids, so that no two loads wait for each other. Raises FileRefused, LoadedInPart."""
    written = 0

    def kept() -> str:
        return (
            f"{written} of {len(differing)} accounts are written; load the file again for the rest." if written else ""
        )

    with keeping(kept):
        for portion in portions(sorted(differing, key=lambda account: account.id), "written", tell):
            with begin() as session:
                problems = _write_portion(session, portion)
                if problems and written:
                    raise LoadedInPart(file, problems, f"{written} of {len(differing)} accounts")
                if problems:
                    raise FileRefused(file, problems)
            written += len(portion)


def _write_portion(session: Session, portion: Sequence[AccountListed]) -> list[Problem]:
    """What the database lacks once nobody else changes these accounts any more. Whoever has been erased since the check, say, is a problem."""
    ids = [account.id for account in portion]
    there = set(session.scalars(select(Account.id).where(Account.id.in_(ids))))
    for account in portion:
        if account.id not in there:
            row = upsert(Account).values(id=account.id, **account.columns)
            session.execute(row.on_conflict_do_nothing(index_elements=["id"]))
    lock_accounts(session, ids)
    known = known_accounts.read(session, portion)
    problems = [problem for account in portion for problem in known.contradictions(account)]
    if not problems:
        for account in portion:
            _write_account(session, account, known)
    return problems


def _write_account(session: Session, listed: AccountListed, known: Known) -> None:
    account = listed.id
    if known.has_other_columns(listed):
        changed = update(Account).where(Account.id == account).values(listed.columns)
        session.execute(changed, execution_options={"synchronize_session": False})
    for contact in known.other_contacts(listed):
        says = known_accounts.columns_of(contact)
        row = upsert(Contact).values(
            id=contact_id(listed.code, contact.email), account_id=account, email=contact.email, **says
        )
        session.execute(row.on_conflict_do_update(index_elements=["account_id", "email"], set_=says))
    if known.is_to_be_granted(listed):
        ledger.post(
            session,
            account_id=account,
            currency=listed.columns["currency"],
            kind=ledger.MovementKind.GRANTED,
            amount_minor=listed.balance_minor,
            cause=known_accounts.granted_cause(listed),
            step="accounts load",
            note="granted with the accounts file",
        )


def portions(listed: Sequence[AccountListed], done: str, tell: Tell) -> Iterator[Sequence[AccountListed]]:
    for start in range(0, len(listed), PORTION):
        tell(f"{start} of {len(listed)} accounts {done}")
        yield listed[start : start + PORTION]
