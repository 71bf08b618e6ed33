"""What was invoiced is what was paid, is owed, or was balance: per currency, while no order is under way. See docs/money.md, section 9."""

from collections import Counter
from datetime import date
from itertools import groupby

from tasks.closing import balances
from tasks.closing.documents import Day, levies
from tests.support.world import World

EVER = date(2020, 1, 1), date(2099, 12, 31)


def equation(world: World, *, on: date | None = None) -> list[tuple[str, int, int]]:
    """Each currency with both sides, computed from what the commands tell. on: at the end of that day, where nothing is owed by transfer."""
    seller = world.wiring.policy.seller
    invoiced: Counter[str] = Counter()
    settled: Counter[str] = Counter()
    with world.begin() as session:
        found = list(levies(session, EVER[0], on or EVER[1], by=Day.ISSUED, seller=seller))
        held = balances.balances(session, on, seller=seller)
    for number, rows in groupby(found, key=lambda each: each.number):
        parts = list(rows)
        document = parts[0]
        assert (number, sum(each.net_minor + each.vat_minor for each in parts)) == (
            number,
            document.document_total_minor,
        )
        invoiced[document.currency] += document.document_total_minor
        settled[document.currency] += document.charged_minor or 0
        if document.owed_status in ("open", "paid"):
            settled[document.currency] += document.owed_minor or 0
    for each in held:
        settled[each.currency] -= each.balance_minor - each.granted_minor
    return [(currency, invoiced[currency], settled[currency]) for currency in sorted({*invoiced, *settled})]
