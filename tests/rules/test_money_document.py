"""docs/money.md does not lie: every row of every table marked `<!-- examples: kind -->` is computed again."""

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from models.rules.cart import Action, CartLine, Offer
from models.rules.currency import exponent
from models.rules.money import round_half_up
from models.rules.period import Interval, Period, period_end
from models.rules.pricing import charge, tax
from models.rules.proration import Share, reset_period, reset_tax, share_left
from models.rules.quote import settle
from models.rules.quoted_line import Clock, RunningPeriod, line_of
from models.rules.vat import Treatment, VatDecision, clock_of, decide, levied_in
from tests.rules.renewals import renewals
from worker.adapters.stripe_amounts import charge_unit

Row = dict[str, str]
DOCUMENT = Path(__file__).parents[2] / "docs" / "money.md"
TABLE = re.compile(r"<!-- examples: (?P<kind>[a-z ]+) -->\n\n(?P<head>\|.+)\n\|[-|: ]+\n(?P<rows>(?:\|.+\n)+)")


def tables() -> Iterator[tuple[str, list[Row]]]:
    for table in TABLE.finditer(DOCUMENT.read_text("utf-8")):
        head = cells(table["head"])
        yield table["kind"], [dict(zip(head, cells(line), strict=True)) for line in table["rows"].splitlines()]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def minor(text: str) -> int:
    """'90.00 EUR' -> 9000; the decimals must be the currency's own."""
    number, currency = text.split()[:2]
    assert len(number.partition(".")[2]) == exponent(currency), text
    return int(Decimal(number).scaleb(exponent(currency)))


def money(amount_minor: int, like: str) -> str:
    currency = like.split()[1]
    return f"{Decimal(amount_minor).scaleb(-exponent(currency)):f} {currency}"


def moment(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def shown(when: datetime, zone: str) -> str:
    return when.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M").removesuffix(" 00:00")


def left(share: Share) -> str:
    return f"{share.remaining:,} of {share.whole:,} {share.unit}s".replace(",", " ")


def percent(text: str) -> Decimal:
    return Decimal(text.removesuffix(" %"))


def change(row: Row) -> Row:
    zone = row.get("time zone", "UTC")
    start, end = (moment(text, zone) for text in row["period"].split(" to "))
    running, at = Period(start, end), moment(row["changed"], zone)
    counted = row["counted in"].removesuffix("s")
    done = reset_period(
        charged_minor=minor(row["charged"]),
        period=running,
        changed_at=at,
        new_charge_minor=minor(row["new charge"]),
        new_interval=row["for a"],
        granularity=counted,
        timezone=zone,
    )
    like = row["charged"]
    return {
        "left": left(share_left(period=running, changed_at=at, granularity=counted, timezone=zone)),
        "credit": money(done.unused_minor, like),
        "used": money(done.used_minor, like),
        "to pay": money(done.net_minor, like),
        "renews on": shown(done.new_period.end, zone),
    }


def periods_that_follow(row: Row) -> Row:
    zone = row["time zone"]
    found = islice(
        renewals(moment(row["starts"], zone), row["every"], timezone=zone), len(row["renews on"].split(", "))
    )
    return {"renews on": ", ".join(shown(each.end, zone) for each in found)}


def price(row: Row) -> Row:
    net = charge(unit_price_minor=minor(row["a seat"]), seats=int(row["seats"]))
    due = tax(net_minor=net, rate=percent(row["rate"]))
    return {name: money(value, row["a seat"]) for name, value in (("net", net), ("tax", due), ("together", net + due))}


def tax_per_line(row: Row) -> Row:
    lines, net, like = int(row["lines"]), minor(row["each net"]), row["each net"]
    of_one = tax(net_minor=net, rate=percent(row["rate"]))
    of_the_sum = tax(net_minor=lines * net, rate=percent(row["rate"]))
    return {
        "VAT of a line": money(of_one, like),
        "of all lines, as charged": money(lines * of_one, like),
        "of their sum, as EN 16931 wants it": money(of_the_sum, like),
    }


def settlement(row: Row) -> Row:
    like = row["total"]
    unit = charge_unit(like.split()[1])
    settled = settle(minor(like), balance_minor=minor(row["balance before"]), charge_unit_minor=unit)
    return {
        "charged in steps of": money(unit, like),
        "from balance": money(settled.balance_used_minor, like),
        "due": money(settled.due_minor, like),
        "becomes balance": money(settled.to_balance_minor, like),
    }


def credited_tax(row: Row) -> Row:
    divided = reset_tax(
        original_tax_minor=minor(row["tax charged"]),
        original_rate=percent(row["rate then"]),
        unused_minor=minor(row["net credit"]),
    )
    return {
        "tax given back": money(divided.credit_tax_minor, row["tax charged"]),
        "tax kept": money(divided.used_tax_minor, row["tax charged"]),
    }


def tax_of_a_change(row: Row) -> Row:
    like, charged, rate = row["charged"], minor(row["charged"]), percent(row["rate"])
    november = Period(moment("2026-11-01", "UTC"), moment("2026-12-01", "UTC"))
    held = RunningPeriod(
        None, "team", 1, Interval.MONTH, november, charged, tax(net_minor=charged, rate=rate), rate, "UTC"
    )
    line = line_of(
        0,
        CartLine(Action.CHANGE, "desk", "business", 1, Interval.MONTH),
        Offer({"business": 2}, {("business", Interval.MONTH): minor(row["new charge"])}, None),
        held,
        VatDecision(Treatment.DOMESTIC, rate, None),
        Clock(moment(row["changed"], "UTC"), "UTC"),
    )
    amounts = {
        "credit": line.unused_minor,
        "net": line.net_minor,
        "VAT on the new charge": line.charge_tax_minor,
        "VAT on the credit": line.unused_tax_minor,
        "VAT of the line": line.tax_minor,
        "VAT on the net would be": tax(net_minor=line.net_minor, rate=rate),
    }
    return {name: money(amount, like) for name, amount in amounts.items()}


def two_countries(row: Row) -> Row:
    def levied(country: str, net_minor: int) -> tuple[int, str]:
        found = decide(seller_country="DE", buyer_country=country, buyer_type="consumer", tax_point=date(2026, 11, 22))
        state = levied_in(found.treatment, seller_country="DE", buyer_country=country)
        assert found.rate is not None
        return tax(net_minor=net_minor, rate=found.rate), f"{state}, {found.rate} %" if state else "none"

    credited, by = levied(row["lived in"], minor(row["credited"]))
    charged, to = levied(row["lives in"], minor(row["charged"]))
    like = row["charged"]
    return {
        "VAT credited": money(-credited, like),
        "by": by,
        "VAT charged": money(charged, like),
        "to": to,
        "VAT of the document": money(charged - credited, like),
    }


def rounding(row: Row) -> Row:
    return {"becomes": str(round_half_up(Decimal(row["exact"])))}


def units(row: Row) -> Row:
    return {"decimals": str(exponent(row["currency"])), "counted as": f"{minor(row['amount'] + ' ' + row['currency'])}"}


def vat(row: Row) -> Row:
    country, _, postcode = row["buyer"].partition(" ")
    found = decide(
        seller_country=row["seller"],
        buyer_country=country,
        vat_number=row["number given"] or None,
        buyer_type=row["who is a"],
        tax_point=date.fromisoformat(row["on"]),
        postcode=postcode or None,
    )
    rate = "none yet" if found.rate is None else f"{found.rate} %"
    return {"treatment": found.treatment.value, "rate": rate, "number kept": found.number or ""}


def clock(row: Row) -> Row:
    country, _, postcode = row["buyer"].partition(" ")
    return {"clock": clock_of(country, postcode=postcode or None) or "none: no rate is known"}


ROWS: dict[str, Callable[[Row], Row]] = {
    "change": change,
    "renewals": periods_that_follow,
    "price": price,
    "tax per line": tax_per_line,
    "settlement": settlement,
    "tax given back": credited_tax,
    "tax of a change": tax_of_a_change,
    "two countries": two_countries,
    "rounding": rounding,
    "minor units": units,
    "vat": vat,
    "clock": clock,
}
EXAMPLES = [(kind, row) for kind, rows in tables() for row in rows if kind in ROWS]


def test_the_document_has_examples_of_every_kind_and_of_no_other() -> None:
    assert {kind for kind, _ in tables()} == {*ROWS, "chain"}
    assert DOCUMENT.read_text("utf-8").count("<!-- examples:") == len(list(tables()))


@pytest.mark.parametrize(
    ("kind", "row"), EXAMPLES, ids=[f"{kind}: {' '.join(row.values())[:60]}" for kind, row in EXAMPLES]
)
def test_an_example_is_computed_as_it_is_written(kind: str, row: Row) -> None:
    computed = ROWS[kind](row)
    assert {name: row[name] for name in computed} == computed


def test_the_chain_of_changes_adds_up_as_it_is_written() -> None:
    (rows,) = (rows for kind, rows in tables() if kind == "chain")
    *steps, last = rows
    begun, charged = moment(steps[0]["on"], "UTC"), minor(steps[0]["charged"])
    running = Period(begun, period_end(begun, steps[0]["for a"]))
    paid, used = charged, 0
    assert steps[0]["to pay"] == steps[0]["charged"]
    for row in steps[1:]:
        done = reset_period(
            charged_minor=charged,
            period=running,
            changed_at=moment(row["on"], "UTC"),
            new_charge_minor=minor(row["charged"]),
            new_interval=row["for a"],
        )
        written = {
            "credit": minor(row["credit"]),
            "used of the plan before": minor(row["used of the plan before"]),
            "to pay": minor(row["to pay"]),
        }
        assert written == {
            "credit": done.unused_minor,
            "used of the plan before": done.used_minor,
            "to pay": done.net_minor,
        }
        charged, running, paid, used = (
            done.new_charge_minor,
            done.new_period,
            paid + done.net_minor,
            used + done.used_minor,
        )
    assert (minor(last["to pay"]), minor(last["used of the plan before"])) == (paid, used)
    assert paid == used + charged
