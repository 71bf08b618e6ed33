"""The prompt to assign the seats that an order added: users sign in only once they sit on one."""

from collections.abc import Sequence

from models.orders import OrderLine
from tasks.letters.content import Block, Content, Link, Paragraph
from tasks.letters.occasion import Occasion


def seat_prompt(o: Occasion) -> Content:
    w = o.w
    lines = [line for line in o.lines if _to_assign(o, line)]
    seats = sum(_to_assign(o, line) for line in lines)
    return Content(
        subject=w.say_n(
            "%(seats)s seat is ready to be assigned", "%(seats)s seats are ready to be assigned", seats, seats=seats
        ),
        title=w.say("Assign your seats"),
        greeting=o.greeting,
        blocks=(
            Paragraph(
                w.say(
                    "Order %(number)s has added seats for %(account)s. Users can sign in only once a seat is assigned to"
                    " them.",
                    number=str(o.order.number),
                    account=o.account.name,
                )
            ),
            *(block for line in lines for block in _line(o, line)),
            Paragraph(_what_becomes_of_them(o, lines)),
        ),
        closing=o.closing,
    )


def _line(o: Occasion, line: OrderLine) -> tuple[Block, ...]:
    plan = o.names.plan(line.product_code, line.tier_code)
    seats = _to_assign(o, line)
    left = o.w.say_n(
        "%(plan)s: %(left)s of %(seats)s seats has yet to be assigned.",
        "%(plan)s: %(left)s of %(seats)s seats have yet to be assigned.",
        seats,
        plan=plan,
        left=seats,
        seats=line.seats,
    )
    page = f"{o.seller.public_url}/subscriptions/{line.subscription_id}/seats"
    return Paragraph(left), Link(o.w.say("Assign seats of %(plan)s", plan=plan), page)


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


def _to_assign(o: Occasion, line: OrderLine) -> int:
    """Seats without a user, on a line that added some."""
    has_added = line.seats > (line.from_seats or 0)
    return max(o.unassigned[line.product_code], 0) if has_added else 0
