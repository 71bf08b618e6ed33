"""The rows of a document's table: a line is a charge and, on a change, a credit, each with its own rate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from models.invoices import Invoice, InvoiceLine, InvoiceReason
from models.rules.period import Interval
from models.rules.proration import Unit
from tasks.invoices.row_vat import NO_RATE, RowVat, RowVats
from tasks.letters import plans
from tasks.letters.explain_credit import counted
from tasks.letters.wording import Wording


@dataclass(frozen=True, slots=True)
class Item:
    title: str
    details: tuple[str, ...]
    seats: str
    unit: str
    net: str
    rate: str
    tax: str


def credit_timezones(document: Invoice) -> Mapping[str, str]:
    """See `models.sold_to`."""
    zones: Mapping[str, str] = document.buyer.get("credit_timezones", {})
    return zones


def items(w: Wording, document: Invoice, lines: Sequence[InvoiceLine]) -> tuple[Item, ...]:
    vats = RowVats(document, lines)
    return tuple(item for line in lines for item in _items(w, document, line, vats))


def _items(w: Wording, document: Invoice, line: InvoiceLine, vats: RowVats) -> list[Item]:
    charge, credit = vats.of_charge(line), vats.of_credit(line)
    if document.reason is InvoiceReason.VAT_NUMBER_CONFIRMED:
        return _vat_given_back(w, line, charge, credit) if line.unused_minor or line.tax_minor else []
    found = [_charge(w, line, document.sign, charge)]
    return [*found, _credit(w, document, line, credit)] if line.unused_minor else found


def _charge(w: Wording, line: InvoiceLine, sign: int, vat: RowVat) -> Item:
    details = [_billed(w, line.interval), plans.span(w, line), *(vat.details(w) if line.interval else ())]
    if line.tax_base_minor != line.charge_minor:
        details.append(
            w.say("VAT on %(base)s: the rest was credited later", base=w.money(sign * line.tax_base_minor))
        )  # fmt: skip
    return Item(
        title=f"{line.product_name} {line.tier_name}",
        details=tuple(details),
        seats=w.number(line.seats),
        unit=w.money(line.unit_minor),
        net=w.money(sign * line.charge_minor),
        rate=vat.column(w) if line.interval or vat.rate else NO_RATE,
        tax=w.money(sign * line.charge_tax_minor),
    )


def _credit(w: Wording, document: Invoice, line: InvoiceLine, vat: RowVat) -> Item:
    sign = document.sign
    charged = w.in_zone(credit_timezones(document).get(line.product_code, w.timezone))
    details = [f"{line.product_name} {line.from_tier_name}, {_billed(w, line.from_interval)}"]
    if line.from_period_end:
        details.append(f"{charged.date(line.period_start)} – {charged.date(line.from_period_end)}")
    details.append(_share(w, line))
    if line.from_invoice:
        details.append(w.say("charged on %(number)s", number=line.from_invoice))
    return Item(
        title=w.say("Credit for unused time"),
        details=(*details, *vat.details(w)),
        seats=w.number(line.from_seats or 0),
        unit="",
        net=w.money(-sign * line.unused_minor),
        rate=vat.column(w),
        tax=w.money(-sign * line.unused_tax_minor),
    )


def _vat_given_back(w: Wording, line: InvoiceLine, charge: RowVat, credit: RowVat) -> list[Item]:
    """Two items: the net is credited at the rate it was charged at, and charged under the reverse charge. Old documents lack that net amount."""
    taken = Item(
        title=f"{line.product_name} {line.tier_name}",
        details=(w.say("VAT refunded"), plans.span(w, line)),
        seats=w.number(line.seats),
        unit="",
        net=w.money(-line.unused_minor),
        rate=credit.column(w),
        tax=w.money(-line.unused_tax_minor),
    )
    if not line.charge_minor:
        return [taken]
    put = replace(
        taken,
        details=(*charge.details(w), plans.span(w, line)),
        net=w.money(line.charge_minor),
        rate=charge.column(w),
        tax=w.money(line.charge_tax_minor),
    )
    return [taken, put]


def _share(w: Wording, line: InvoiceLine) -> str:
    """The unused share of the period, and the amount charged for it: 1,296,000 of 2,592,000 seconds of €90.00."""
    left, whole = counted(line)
    values = {
        "left": w.number(left),
        "whole": w.number(whole),
        "charged": w.money(line.from_charged_minor or 0),
    }
    if line.share_unit == Unit.DAY:
        return w.say("%(left)s of %(whole)s days of %(charged)s", **values)
    return w.say("%(left)s of %(whole)s seconds of %(charged)s", **values)


def _billed(w: Wording, interval: Interval | None) -> str:
    match interval:
        case Interval.MONTH:
            return w.say("billed monthly")
        case Interval.YEAR:
            return w.say("billed annually")
        case None:
            return w.say("free trial")
