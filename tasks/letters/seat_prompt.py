"""The prompt to assign the seats that an order added: users sign in only once they sit on one."""

from collections.abc import Mapping, Sequence

from models.orders import OrderLine
from tasks.letters.content import Block, Content, Link, Paragraph
from tasks.letters.occasion import Occasion


def seat_prompt(o: Occasion, *, unassigned: Mapping[str, int]) -> Content:
    """unassigned: seats without a user, by product code."""
    w = o.w
    grown = [line for line in o.lines if _added(line)]
    to_assign = [(line, unassigned[line.product_code]) for line in grown if unassigned[line.product_code] > 0]
    seats = sum(left for _, left in to_assign)
    added = sum(_added(line) for line in grown)
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
                    added,
                    number=str(o.order.number),
                    account=o.account.name,
                )
            ),
            *(block for line, left in to_assign for block in _line(o, line, left)),
            Paragraph(_what_becomes_of_them(o, [line for line, _ in to_assign])),
        ),
        closing=o.closing,
    )


def _line(o: Occasion, line: OrderLine, left: int) -> tuple[Block, ...]:
    plan = o.names.plan(line.product_code, line.tier_code)
    page = f"{o.seller.public_url}/subscriptions/{line.subscription_id}/seats"
    return Paragraph(_left(o, plan, left, line.seats)), Link(o.w.say("Assign seats of %(plan)s", plan=plan), page)


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


def _what_becomes_of_them(o: Occasion, lines: Sequence[OrderLine]) -> str:
    """Seats of a trial are not billed, and end with it."""
    trials = [line.interval is None for line in lines]
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


def _added(line: OrderLine) -> int:
    return max(line.seats - (line.from_seats or 0), 0)
