"""One line of an order as a table: what was bought, for how long, and how its amount comes about."""

from models.orders import OrderLine
from models.rules.period import Interval
from tasks.letters import plans
from tasks.letters.content import Row, Table, Weight
from tasks.letters.explain import sentences
from tasks.letters.tax_notes import why_no_vat
from tasks.letters.telling import Telling
from tasks.letters.wording import Wording


def line_table(line: OrderLine, telling: Telling) -> Table:
    w, names = telling.w, telling.names
    held = plans.before(w, line, names)
    before = (Row(w.say("Before"), held),) if held else ()
    return Table(
        title=names.plan(line.product_code, line.tier_code),
        subtitle=_subtitle(w, line),
        rows=before + (_trial(w, line) if line.interval is None else _bought(line, telling)),
        notes=sentences(line, telling),
    )


def _subtitle(w: Wording, line: OrderLine) -> str:
    match line.interval:
        case Interval.MONTH:
            return w.say_n(
                "%(seats)s seat, billed monthly", "%(seats)s seats, billed monthly", line.seats, seats=line.seats
            )
        case Interval.YEAR:
            return w.say_n(
                "%(seats)s seat, billed annually", "%(seats)s seats, billed annually", line.seats, seats=line.seats
            )
        case None:
            return w.say_n("%(seats)s seat, free trial", "%(seats)s seats, free trial", line.seats, seats=line.seats)


def _trial(w: Wording, line: OrderLine) -> tuple[Row, ...]:
    return (
        Row(w.say("Trial period"), plans.span(w, line)),
        Row(w.say("Total"), w.money(line.total_minor), Weight.TOTAL),
    )


def _bought(line: OrderLine, telling: Telling) -> tuple[Row, ...]:
    w = telling.w
    unit = (
        w.say("Net price per seat and year")
        if line.interval is Interval.YEAR
        else w.say("Net price per seat and month")
    )
    times = w.say("%(seats)s × %(unit)s", seats=line.seats, unit=w.money(line.unit_minor))
    credit = (
        Row(w.say("Prorated credit for unused time"), w.money(-line.unused_minor)),
        Row(w.say("Net"), w.money(line.net_minor)),
    )
    return (
        Row(w.say("Billing period"), plans.span(w, line)),
        Row(w.say("Renewal date"), w.date(line.period_end)),
        Row(unit, w.money(line.unit_minor)),
        Row(times, w.money(line.charge_minor)),
        *(credit if line.from_period_id is not None else ()),
        Row(_vat(line, telling), w.money(line.tax_minor)),
        Row(w.say("Total"), w.money(line.total_minor), Weight.TOTAL),
    )


def _vat(line: OrderLine, telling: Telling) -> str:
    w = telling.w
    if line.position in telling.whose_vat or not plans.same_rate(line):
        return w.say("VAT")
    return why_no_vat(w, line.tax_treatment) or w.say("VAT %(rate)s", rate=w.percent(line.tax_rate))
