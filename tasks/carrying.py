"""Consecutive steps in one process share a transaction, until one has to call an outside system.

A transaction costs as much as the statements in it (docs/performance-history.md). `wiring.carry()` leaves its transaction open for this
thread's next block, in the same step or in the next one. `wiring.begin()` continues that transaction and commits it. Before any outside
call there is always a `begin()`, or `wiring.outside()`. Until then nothing has happened: a crash leaves the order where it was.

An error rolls back the whole shared transaction. If an earlier step's work was in it, `StepsUndone` names the first step to repeat;
from there on steps share no transaction.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from types import TracebackType

from sqlalchemy.orm import Session

from models import step_ends
from models.prepared import one_statement_only
from models.recording import CARRIED
from models.states import Step

Begin = Callable[[], AbstractContextManager[Session]]
"""a session in a transaction of its own"""


class StepsUndone(Exception):
    """An error rolled back steps that were done, but not yet committed. `since`: the first of them."""

    def __init__(self, since: Step) -> None:
        super().__init__(f"rolled back since {since}")
        self.since = since


@dataclass(slots=True)
class _Open:
    transaction: ExitStack
    session: Session
    since: Step | None
    """the step that began the transaction"""


class _Thread(threading.local):
    """A thread's state between the blocks of its steps."""

    step: Step | None = None
    """the step that it is running"""
    carries: bool = False
    """whether a transaction may be left open"""
    left: _Open | None = None
    """the transaction that was left open; None also while a block continues it"""


_this_thread = _Thread()


@contextmanager
def steps_of_a_delivery(begin: Begin, *, carries: bool) -> Iterator[None]:
    """Wraps the steps of a delivery; a transaction still open at their end is committed. Raises StepsUndone.

    carries: whether a transaction may be left open between them; otherwise each `carry()` acts like a `begin()`.
    """
    _this_thread.carries = carries
    try:
        yield
        _this_thread.step = None  # if the commit fails, there is no current step to be retried
        commit_left_open(begin)
    finally:
        left, _this_thread.left = _this_thread.left, None
        _this_thread.step, _this_thread.carries = None, False
        if left is not None:
            left.session.close()


def now_running(step: Step) -> None:
    """Record that this thread begins `step`."""
    _this_thread.step = step


def commit_left_open(begin: Begin) -> None:
    """Commit what is left open, if anything is. Raises StepsUndone."""
    if _this_thread.left is not None:
        with SharedTransaction(begin, Mode.COMMIT):
            pass


class Mode(Enum):
    """What a block does with its transaction at the end, unless an exception rolls it back."""

    COMMIT = auto()
    LEAVE_OPEN = auto()
    """leave it open for this thread's next block; commit where nothing may be carried"""
    ONE_STATEMENT = auto()
    """the block runs a single prepared statement: in autocommit mode where no transaction was left open"""


class SharedTransaction:
    """Context manager: continues the transaction that was left open in this thread, or begins a new one."""

    __slots__ = ("_begin", "_mode", "_open")

    def __init__(self, begin: Begin, mode: Mode) -> None:
        self._begin = begin
        self._mode = mode

    def __enter__(self) -> Session:
        left, _this_thread.left = _this_thread.left, None
        if left is None:
            transaction = ExitStack()
            left = _Open(transaction, transaction.enter_context(self._begin()), _this_thread.step)
            left.session.info[CARRIED] = _this_thread.carries
        if self._mode is Mode.ONE_STATEMENT and not left.session.in_transaction():
            one_statement_only(left.session)
        self._open = left
        return left.session

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        this = self._open
        if kind is None and self._mode is Mode.LEAVE_OPEN and _this_thread.carries:
            _this_thread.left = this
            return
        try:
            with this.transaction:
                if error is not None:
                    raise error  # inside the transaction, which thereby rolls back
                step_ends.write(this.session)
        except Exception as failed:
            if this.since is not None and this.since is not _this_thread.step:
                raise StepsUndone(this.since) from failed
            if failed is not error:
                raise
