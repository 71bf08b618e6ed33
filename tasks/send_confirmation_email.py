"""Confirm to the customer what was bought, with the arithmetic; welcome those who try."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy.orm import Session

from models import order_cache
from models.orders import Order
from models.rules.cart import Action
from models.states import LetterKind, Step
from tasks.failure_points import reach
from tasks.mail import mailing, still_true
from tasks.running.outcome import Outcome
from tasks.step import done, step, take
from tasks.wiring import carry

THIS = Step.SEND_CONFIRMATION_EMAIL


@step
def send_confirmation_email(order_id: UUID) -> Outcome:
    """One confirmation for what was bought or changed, one welcome for the trials that still run; each once."""
    with carry() as session:
        order = take(session, order_id, THIS)
        letters = list(_letters(session, order))
    reach("send_confirmation_email.claimed")
    mailing.deliver(order, letters)
    reach("send_confirmation_email.called")
    with carry() as session:
        return done(session, order)


def _letters(session: Session, order: Order) -> Iterator[LetterKind]:
    if any(line.action is not Action.TRIAL for line in order_cache.lines(session, order)):
        yield LetterKind.CONFIRMATION
    if still_true.trials(session, order):
        yield LetterKind.TRIAL_WELCOME
