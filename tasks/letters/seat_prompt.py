"""The prompt to assign the seats that an order added: users sign in only once they sit on one."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.orders import OrderLine
from tasks.letters.content import Block, Content, Link, Paragraph
from tasks.letters.occasion import Occasion


@dataclass(frozen=True, slots=True)
class SeatsToAssign:
    """Seats without a user, of the subscription of an order's line, which may have changed since."""

    line: OrderLine
    tier_code: str
    seats: int
    """all that there are"""
    left: int
    """those without a user"""
    trial: bool


def seat_prompt(o: Occasion, *, to_assign: Sequence[SeatsToAssign]) -> Content:
    w = o.w
    seats = sum(each.left for each in to_assign)
    return Content(
        subject=w.say_n(
            "%(seats)s seat is ready to be assigned", "%(seats)s seats are ready to be assigned", seats, seats=seats
        ),
        title=w.say("Seats to assign"),
        greeting=o.greeting,
        blocks=(
            Paragraph(
                w.say_n(
                    "Order %(number)s has added a seat for %(account)s. Users can sign in only once a seat is assigned to"
                    " them.",
                    "Order %(number)s has added seats for %(account)s. Users can sign in only once a seat is assigned to"
                    " them.",
                    sum(map(added, o.lines)),
                    number=str(o.order.number),
                    account=o.account.name,
                )
            ),
            *(block for each in to_assign for block in _blocks(o, each)),
            Paragraph(_what_becomes_of_them(o, to_assign)),
        ),
        closing=o.closing,
    )


def _blocks(o: Occasion, each: SeatsToAssign) -> tuple[Block, ...]:
    plan = o.names.plan(each.line.product_code, each.tier_code)
    page = f"{o.seller.public_url}/subscriptions/{each.line.subscription_id}/seats"
    return Paragraph(_left(o, plan, each.left, each.seats)), Link(o.w.say("Assign seats of %(plan)s", plan=plan), page)


def _left(o: Occasion, plan: str, left: int, seats: int) -> str:
    if seats == 1:
        return o.w.say("%(plan)s: %(left)s seat has yet to be assigned.", plan=plan, left=left)
    return o.w.say_n(
        "%(plan)s: %(left)s of %(seats)s seats has yet to be assigned.",
        "%(plan)s: %(left)s of %(seats)s seats have yet to be assigned.",
        left,
        plan=plan,
        left=left,
        seats=seats,
    )


def _what_becomes_of_them(o: Occasion, to_assign: Sequence[SeatsToAssign]) -> str:
    """Seats of a trial are not billed, and end with it."""
    trials = [each.trial for each in to_assign]
    if all(trials):
        return o.w.say(
            "Seats that nobody is assigned to remain yours and can be assigned at any time during the trial."
        )
    if any(trials):
        return o.w.say(
            "Seats that nobody is assigned to remain yours and can be assigned at any time, those of a trial until it"
            " ends. They are billed like the others; those of a trial cost nothing."
        )
    return o.w.say(
        "Seats that nobody is assigned to remain yours: they are billed like the others and can be assigned at any time."
    )


def added(line: OrderLine) -> int:
    """How many seats the line added to its subscription."""
    return max(line.seats - (line.from_seats or 0), 0)
