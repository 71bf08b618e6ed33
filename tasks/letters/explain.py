"""Why this amount: each line, and how their sum is settled, as sentences with all their numbers.

Whoever recomputes a line from its sentences gets the same amount to the cent.
"""

from collections.abc import Iterator

from models.invoices import ReceivableStatus
from models.orders import Order, PricedLine, Totals
from models.states import BACK, FINAL, OrderStatus
from tasks.letters import plans
from tasks.letters.explain_credit import credit_sentences
from tasks.letters.explain_tax import tax_sentences
from tasks.letters.payment_words import how_it_is_paid
from tasks.letters.status_texts import briefly
from tasks.letters.telling import Telling
from tasks.letters.wording import Wording, mark


def sentences(line: PricedLine, telling: Telling) -> tuple[str, ...]:
    w = telling.w
    if line.interval is None:
        return _trial(line, telling)
    now_paid = {
        "plan": plans.after(w, line, telling.names),
        "start": w.date(line.period_start),
        "end": w.date(line.period_end),
        "seats": w.number(line.seats),
        "unit": w.money(line.unit_minor),
        "charge": w.money(line.charge_minor),
    }
    taxes = tax_sentences(line, telling)
    if line.from_period_id is None:
        return _bought(telling, now_paid), *_trial_replaced(line, telling), *taxes, _total(w, line)
    return *credit_sentences(line, telling), _changed(telling, now_paid), _net(w, line), *taxes, _total(w, line)


def _bought(telling: Telling, now_paid: dict[str, str]) -> str:
    bought = mark("You bought %(plan)s, for the period from %(start)s to %(end)s: %(seats)s × %(unit)s = %(charge)s.")
    buys = mark("You buy %(plan)s, for the period from %(start)s to %(end)s: %(seats)s × %(unit)s = %(charge)s.")
    return telling.w.say(bought if telling.in_effect else buys, **now_paid)


def _trial_replaced(line: PricedLine, telling: Telling) -> tuple[str, ...]:
    trial = plans.before(telling.w, line, telling.names)
    if trial is None:
        return ()
    return (telling.w.say("This replaces %(trial)s. The rest of the trial is forfeited.", trial=trial),)


def _changed(telling: Telling, now_paid: dict[str, str]) -> str:
    has = mark("You now have %(plan)s, for a new period from %(start)s to %(end)s: %(seats)s × %(unit)s = %(charge)s.")
    to = mark("You change to %(plan)s, for a new period from %(start)s to %(end)s: %(seats)s × %(unit)s = %(charge)s.")
    return telling.w.say(has if telling.in_effect else to, **now_paid)


def _trial(line: PricedLine, telling: Telling) -> tuple[str, ...]:
    w = telling.w
    ends = w.say(
        "The trial costs nothing and ends by itself on %(end)s, without a charge.", end=w.moment(line.period_end)
    )
    return _trial_started(line, telling), ends


def _trial_started(line: PricedLine, telling: Telling) -> str:
    w, names, in_effect = telling.w, telling.names, telling.in_effect
    before, after = plans.before(w, line, names), plans.after(w, line, names)
    if before is None:
        return w.say("You have %(plan)s.", plan=after) if in_effect else w.say("You get %(plan)s.", plan=after)
    if in_effect:
        return w.say("You had %(before)s; you now have %(after)s.", before=before, after=after)
    return w.say("You have %(before)s; you change to %(after)s.", before=before, after=after)


def _net(w: Wording, line: PricedLine) -> str:
    return w.say(
        "Charge less credit, net: %(charge)s − %(credit)s = %(net)s.",
        charge=w.money(line.charge_minor),
        credit=w.money(line.unused_minor),
        net=w.money(line.net_minor),
    )


def _total(w: Wording, line: PricedLine) -> str:
    return w.say(
        "Net %(net)s and VAT %(tax)s make %(total)s.",
        net=w.money(line.net_minor),
        tax=w.money(line.tax_minor),
        total=w.money(line.total_minor),
    )


def explain_settlement(w: Wording, totals: Totals) -> tuple[str, ...]:
    """How the sum of the lines is settled: the balance pays first, the rest is due; an excess becomes balance."""
    return _summed(w, totals), *_settled(w, totals, _due(w, totals))


def explain_outcome(
    w: Wording,
    order: Order,
    *,
    card: str | None,
    transfer: ReceivableStatus = ReceivableStatus.OPEN,
    given_back: bool = False,
) -> tuple[str, ...]:
    """How an order was settled that has ended or been paid, told as its letters tell it; if nothing is left of it, or it is being undone,
    only where it stands, and the sum of its lines.

    card, transfer: as for `how_it_is_paid`. given_back: as for `briefly`.
    """
    if order.status is not OrderStatus.COMPLETED and (order.status in FINAL or order.next_step in BACK):
        return briefly(w, order.status, given_back=given_back), _summed(w, order)
    return _summed(w, order), *_settled(w, order, *_paid(w, order, card, transfer))


def _summed(w: Wording, totals: Totals) -> str:
    return w.say(
        "All lines together: net %(net)s and VAT %(tax)s make %(total)s.",
        net=w.money(totals.net_minor),
        tax=w.money(totals.tax_minor),
        total=w.money(totals.total_minor),
    )


def _settled(w: Wording, totals: Totals, *paid: str) -> tuple[str, ...]:
    """paid: how the total is paid, unless the customer gets money back."""
    over = w.money(totals.to_balance_minor)
    if totals.total_minor < 0:
        back = w.say(
            "As you get money back, %(amount)s is added to your balance, which pays for future orders first.",
            amount=over,
        )
        return (back,)
    if not totals.to_balance_minor:
        return paid
    return *paid, w.say("This includes %(amount)s of rounding up, which is added to your balance.", amount=over)


def _due(w: Wording, totals: Totals) -> str:
    due = w.money(totals.due_minor)
    if not totals.balance_used_minor:
        return w.say("%(due)s is due.", due=due)
    used = w.money(totals.balance_used_minor)
    return w.say("Your balance pays %(used)s of it first, so %(due)s is due.", used=used, due=due)


def _paid(w: Wording, order: Order, card: str | None, transfer: ReceivableStatus) -> Iterator[str]:
    if order.balance_used_minor:
        yield _amount(w, w.say("Paid from your balance"), order.balance_used_minor)
    how = how_it_is_paid(
        w, due_minor=order.due_minor, payment_due_at=order.payment_due_at, card=card, transfer=transfer
    )
    yield _amount(w, how, order.due_minor)


def _amount(w: Wording, how: str, minor: int) -> str:
    return w.say("%(how)s: %(amount)s.", how=how, amount=w.money(minor))
