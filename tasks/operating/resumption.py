"""What an operator may do with a parked order: resume it, at its current step or another one, or without the letter that it waits for."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from models import timeline, waiting_orders
from models.messages import SentLetter
from models.orders import OrderEvent
from models.rules.currency import format_amount
from models.states import (
    AFTER_ACTIVATION,
    ATTEMPT_OVER,
    ATTEMPT_UNDER_WAY,
    BACK,
    WAY_FORWARD,
    LetterKind,
    LetterStatus,
    OrderStatus,
    Step,
    steps_from,
)
from models.timeline_kinds import Kind
from tasks.operating.order_at_hand import NotPossible
from tasks.operating.order_story import Story


@dataclass(frozen=True, slots=True)
class Resumption:
    """The effects of resuming an order, before it is resumed."""

    stands_at: Step
    """its step when this was planned; if it has moved since, the plan no longer applies"""
    first: Step
    happened: tuple[str, ...] = ()
    would: tuple[str, ...] = ()
    without: LetterKind | None = None
    """the letter that is given up"""


def plan_resumption(story: Story, *, from_step: Step | None = None, without_letters: bool = False) -> Resumption:
    """What resuming a parked order would do, from `from_step` or else from its current step. Raises NotPossible.

    without_letters: give up the letter at which it stands; a later one is tried all the same.
    """
    order = story.order
    if order.status is not OrderStatus.NEEDS_ATTENTION or order.next_step is None:
        raise NotPossible(f"order {order.number} does not need attention: it is {order.status}")
    first = from_step or order.next_step
    if first in BACK:
        _refuse_way_back(story, order.next_step, first)
    else:
        _refuse_way_forward(story, order.next_step, first)
    without = _begun(story, order.next_step) if without_letters else None
    return Resumption(order.next_step, first, tuple(_happened(story)), tuple(_would(first, without)), without)


def resume(session: Session, order_id: UUID, planned: Resumption, *, by: str, why: str | None = None) -> None:
    """Resume the order as planned, recording by whom and why. Raises NotPossible if somebody else was faster."""
    waiting = (OrderStatus.NEEDS_ATTENTION,)
    said = _resumed_by(by, why)
    if not waiting_orders.reopen(
        session, order_id, out_of=waiting, stands_at=planned.stands_at, step=planned.first, why=said
    ):
        raise NotPossible("the order has moved on since; look at it again")
    if planned.without is not None:
        _give_up(session, order_id, planned.without, by=by, why=why)


def _resumed_by(by: str, why: str | None) -> str:
    return f"resumed by {by}: {why}" if why else f"resumed by {by}"


def _begun(story: Story, step: Step) -> LetterKind:
    """The letter that keeps the order at `step`. Raises NotPossible."""
    kinds = _LETTERS.get(step, ())
    begun = [each.kind for each in story.letters if each.kind in kinds and each.status is LetterStatus.SENDING]
    if not begun:
        raise NotPossible(f"it stands at {step} and waits for no letter; resume it without --without-letters")
    return begun[0]


def _give_up(session: Session, order_id: UUID, kind: LetterKind, *, by: str, why: str | None) -> None:
    """Mark the letter as undeliverable. Raises NotPossible if it was sent meanwhile."""
    begun = (SentLetter.order_id == order_id, SentLetter.kind == kind, SentLetter.status == LetterStatus.SENDING)
    given_up = {"status": LetterStatus.UNDELIVERABLE, "sent_at": func.clock_timestamp()}
    if session.scalar(update(SentLetter).where(*begun).values(**given_up).returning(SentLetter.kind)) is None:
        raise NotPossible(f"the {kind} was sent meanwhile; resume it without --without-letters")
    said = {"kind": kind.value, "by": by, **({"why": why} if why else {})}
    timeline.note(session, order_id, f"letter.{LetterStatus.UNDELIVERABLE}", said)


def _refuse_way_back(story: Story, stands_at: Step, first: Step) -> None:
    if stands_at in BACK:
        return
    if stands_at in AFTER_ACTIVATION:
        raise NotPossible(f"what it bought is active; resume it{_OR_WITHOUT}, and refund it once it is completed")
    if first is not Step.REFUND_PAYMENT:
        raise NotPossible(f"the way back begins with {Step.REFUND_PAYMENT}")
    if any(charge.status in ATTEMPT_UNDER_WAY for charge in story.charges):
        raise NotPossible(
            "it may have been charged, and nobody has asked yet; cancel it instead: that finds out, and gives it back"
        )


def _refuse_way_forward(story: Story, stands_at: Step, first: Step) -> None:
    if first is stands_at:
        return
    if stands_at in BACK:
        raise NotPossible(f"its money is on the way back, so it cannot go forward again; it stands at {stands_at}")
    if WAY_FORWARD.index(first) > WAY_FORWARD.index(stands_at):
        otherwise = f"; resume it{_OR_WITHOUT}" if stands_at in _LETTERS else ""
        raise NotPossible(f"it stands at {stands_at}; beginning with {first} would skip that{otherwise}")
    if stands_at in AFTER_ACTIVATION and first not in AFTER_ACTIVATION:
        raise NotPossible(f"what it bought is active; begin with {stands_at}")
    charged = any(charge.status not in ATTEMPT_OVER for charge in story.charges)
    if charged and WAY_FORWARD.index(first) < WAY_FORWARD.index(Step.COLLECT_PAYMENT):
        raise NotPossible(f"it was charged, or may have been; begin with {Step.COLLECT_PAYMENT} or later")


def _would(first: Step, without: LetterKind | None) -> Iterator[str]:
    if without is not None:
        yield f"{without}: is not sent, and counts as undeliverable"
    for step in steps_from(first):
        does = _WITHOUT if without is not None and step is first else _WILL
        yield f"{step}: {does[step]}"


def _happened(story: Story) -> list[str]:
    """One phrase for each earlier effect that is not repeated."""
    steps = [f"{step}: {outcome}" for step, outcome in _step_ends(story).items()]
    charges = [f"charge {c.key}: {format_amount(c.amount_minor, c.currency)}, {c.status}" for c in story.charges]
    refunds = [f"refund {r.key}: {format_amount(r.amount_minor, r.currency)}, {r.status}" for r in story.refunds]
    letters = [f"letter {letter.kind}: {letter.status}" for letter in story.letters]
    return steps + charges + refunds + letters


def _step_ends(story: Story) -> dict[str, str]:
    """How each step ended in the order's present revision, the last time that it did."""
    began = max((event.id for event in story.events if _accepts(event, story.order.quote_id)), default=0)
    kinds = (event.kind.partition(".") for event in story.events if event.id > began)
    return {step: what for step, _, what in kinds if step in _WILL and what != "postponed"}


def _accepts(event: OrderEvent, quote_id: UUID) -> bool:
    return event.kind == Kind.ORDER_REOPENED and event.facts.get("quote_id") == str(quote_id)


_OR_WITHOUT = " (with --without-letters if its letter cannot be sent)"
_LETTERS = {
    Step.SEND_CONFIRMATION_EMAIL: (LetterKind.CONFIRMATION, LetterKind.TRIAL_WELCOME),
    Step.PROMPT_SEAT_ASSIGNMENT: (LetterKind.SEAT_PROMPT,),
    Step.SEND_REFUND_NOTICE: (LetterKind.REFUND_NOTICE,),
}
_WILL = {
    Step.VALIDATE_CART: "checks the cart against the account as it is now",
    Step.COMPUTE_PRORATION: "works the amount out again; stops and asks if it is not the quote's",
    Step.COLLECT_PAYMENT: "finds the charge if it was made, under the same key; makes it if not",
    Step.ACTIVATE_SUBSCRIPTION: "gives what was bought, or turns back and refunds",
    Step.SEND_CONFIRMATION_EMAIL: "sends the confirmation unless it was sent",
    Step.PROMPT_SEAT_ASSIGNMENT: "asks to assign new seats unless that was sent, and completes the order",
    Step.REFUND_PAYMENT: "gives the whole charge back, once; nothing where nothing was charged",
    Step.SEND_REFUND_NOTICE: "tells the customer unless that was sent, and ends the order",
}
_WITHOUT = {
    Step.SEND_CONFIRMATION_EMAIL: "sends the other letter, if there is one that was not sent",
    Step.PROMPT_SEAT_ASSIGNMENT: "completes the order",
    Step.SEND_REFUND_NOTICE: "ends the order",
}
"""without the letter that is given up"""
