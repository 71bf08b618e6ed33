"""Confirm to the customer what was bought, with the arithmetic; welcome those who try."""

from uuid import UUID

from models import order_cache
from models.rules.cart import Action
from models.states import LetterKind, Step
from tasks.failure_points import reach
from tasks.mail import mailing
from tasks.running.outcome import Outcome, why_not
from tasks.step import done, step, take
from tasks.wiring import carry

THIS = Step.SEND_CONFIRMATION_EMAIL


@step
def send_confirmation_email(order_id: UUID) -> Outcome:
    """One confirmation for what was bought or changed, one welcome for what is tried; each once."""
    with carry() as session:
        order = take(session, order_id, THIS)
        actions = {line.action for line in order_cache.lines(session, order)} if order is not None else set()
    if order is None:
        return why_not(order_id, THIS)
    reach("send_confirmation_email.claimed")
    mailing.deliver(order, _letters_for(actions))
    reach("send_confirmation_email.called")
    with carry() as session:
        return done(session, order)


def _letters_for(actions: set[Action]) -> list[LetterKind]:
    kinds = [LetterKind.CONFIRMATION] if actions - {Action.TRIAL} else []
    return kinds + ([LetterKind.TRIAL_WELCOME] if Action.TRIAL in actions else [])
