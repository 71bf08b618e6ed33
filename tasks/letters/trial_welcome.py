"""The welcome to a trial: how long it lasts, that it ends by itself without a charge, and how to subscribe."""

from collections.abc import Sequence
from typing import Final

from models.orders import OrderLine
from tasks.letters.content import Content, Link, Paragraph, Row, Table
from tasks.letters.occasion import Occasion
from tasks.letters.wording import Wording

_MOST_NAMED: Final = 3
"""plans in a subject"""


def trial_welcome(o: Occasion, *, trials: Sequence[OrderLine]) -> Content:
    """trials: those of the order's lines that are to be welcomed."""
    w = o.w
    plans = w.listed([o.names.plan(line.product_code, line.tier_code) for line in trials])
    return Content(
        subject=_subject(w, plans, len(trials)),
        title=w.say("Welcome to your free trial"),
        greeting=o.greeting,
        blocks=(
            Paragraph(
                w.say(
                    "Your trial of %(plans)s for %(account)s has started and can be used right away.",
                    plans=plans,
                    account=o.account.name,
                )
            ),
            *(_table(o, line) for line in trials),
            Paragraph(w.say("A trial costs nothing and ends by itself: there is no charge, and nothing to cancel.")),
            Paragraph(
                w.say(
                    "To go on afterwards, subscribe at any time, during the trial or later: choose a plan, seats, and"
                    " monthly or annual billing."
                )
            ),
            Link(w.say("Subscribe"), o.subscriptions_page),
        ),
        closing=o.closing,
    )


def _subject(w: Wording, plans: str, trials: int) -> str:
    """Names as many plans as a list of letters can show."""
    if trials > _MOST_NAMED:
        return w.say("Your %(trials)s free trials have started", trials=trials)
    return w.say("Your free trial of %(plans)s has started", plans=plans)


def _table(o: Occasion, line: OrderLine) -> Table:
    w = o.w
    days = (line.period_end - line.period_start).days
    return Table(
        title=o.names.plan(line.product_code, line.tier_code),
        rows=(
            Row(w.say("Seats"), w.number(line.seats)),
            Row(w.say("Length of the trial"), w.say_n("%(days)s day", "%(days)s days", days, days=days)),
            Row(w.say("Ends by itself on"), w.moment(line.period_end)),
            Row(w.say("Price"), w.money(line.total_minor)),
        ),
    )
