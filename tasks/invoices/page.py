"""The content of an invoice or credit note, before layout: texts in the customer's language, amounts formatted.

Contents: Directive 2006/112/EC, article 226 (numbers in brackets below), and article 219 for documents that correct another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.invoices import Invoice, InvoiceKind, InvoiceLine, InvoiceReason
from tasks.invoices.corrected import corrected
from tasks.invoices.items import Item, credit_timezones, items
from tasks.invoices.parties import buyer_lines, seller_lines
from tasks.invoices.row_vat import whose_vat
from tasks.invoices.settlement import bank_account, payment_terms, settlement
from tasks.invoices.tax_notes import tax_notes
from tasks.letters.content import Row
from tasks.letters.explain import sentences
from tasks.letters.names import ProductNames
from tasks.letters.telling import Telling
from tasks.letters.wording import Wording
from tasks.plain_text import one_line


@dataclass(frozen=True, slots=True)
class Part:
    """A heading and the text below it."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    language: str
    title: str
    number: str
    seller: Part
    buyer: Part
    facts: tuple[Row, ...]
    about: str
    """for a correction: what it corrects, and why"""
    columns: tuple[str, ...]
    items: tuple[Item, ...]
    totals: tuple[Row, ...]
    notes: tuple[str, ...]
    arithmetic: tuple[Part, ...]
    arithmetic_title: str
    legal_notice: str
    """what the seller's law requires at the foot; it may be empty"""
    page_of: str
    """`Page {page} of {pages}` in the language; the layout fills in the numbers"""


def page(document: Invoice, lines: Sequence[InvoiceLine]) -> Page:
    w = Wording(document.language, document.currency, document.timezone)
    account = bank_account(w, document)
    return Page(
        language=document.language.value,
        title=w.say("Invoice") if document.kind is InvoiceKind.INVOICE else w.say("Credit note"),
        number=document.number,
        seller=Part(document.seller["name"], seller_lines(w, document.seller)),
        buyer=Part(w.say("Customer"), buyer_lines(w, document.buyer)),
        facts=_facts(w, document, lines),
        about=_about(w, document),
        columns=(
            w.say("Description"),
            w.say("Seats"),
            w.say("Price per seat (net)"),
            w.say("Net"),
            w.say("VAT rate"),
            w.say("VAT"),
        ),
        items=items(w, document, lines),
        totals=settlement(w, document, lines),
        notes=(*tax_notes(w, document, lines), *payment_terms(w, document), *([account] if account else [])),
        arithmetic=tuple(_arithmetic(w, document, lines)),
        arithmetic_title=w.say("How the amounts are calculated"),
        legal_notice=one_line(document.seller.get("legal_notice") or ""),
        page_of=w.say("Page %(page)s of %(pages)s", page="{page}", pages="{pages}"),
    )


def _names_of(lines: Sequence[InvoiceLine]) -> ProductNames:
    """The names that were frozen with the lines."""
    tiers = {(line.product_code, line.tier_code): line.tier_name for line in lines}
    tiers |= {(line.product_code, line.from_tier): line.from_tier_name for line in lines
              if line.from_tier and line.from_tier_name}  # fmt: skip
    return ProductNames({line.product_code: line.product_name for line in lines}, tiers)


def _facts(w: Wording, document: Invoice, lines: Sequence[InvoiceLine]) -> tuple[Row, ...]:
    """[1] the date of issue, [2] the number, [7] the date of supply; the number of each document that it corrects or replaces."""
    rows = [
        Row(w.say("Number"), document.number),
        Row(w.say("Date of issue"), w.day(document.issued_on)),
        Row(w.say("Date of supply"), _day_of_supply(w, document)),
        Row(w.say("Order"), document.order_number),
    ]
    if numbers := corrected(document, lines):
        replaces = document.kind is InvoiceKind.INVOICE and document.sign == 1
        rows.append(Row(w.say("Replaces") if replaces else w.say("Corrects"), ", ".join(numbers)))
    return tuple(rows)


def _day_of_supply(w: Wording, document: Invoice) -> str:
    return w.day(document.supplied_on) if document.supplied_on else w.date(document.supplied_at)


def _about(w: Wording, document: Invoice) -> str:
    number = document.corrects_number or ""
    match document.reason, document.sign:
        case InvoiceReason.REFUND, _:
            return w.say("This document cancels %(number)s in full: the order was refunded.", number=number)
        case InvoiceReason.VAT_NUMBER_INVALID, -1:
            return w.say(
                "This document cancels %(number)s in full: VIES does not recognise the VAT number on which it was"
                " based, so there is no reverse charge. Another document replaces %(number)s.",
                number=number,
            )
        case InvoiceReason.VAT_NUMBER_INVALID, _:
            return w.say(
                "VIES does not recognise the VAT number on which %(number)s was based, so VAT is charged.",
                number=number,
            )
        case InvoiceReason.VAT_NUMBER_CONFIRMED, _:
            return w.say(
                "This document corrects %(number)s: VIES has confirmed the VAT number, so the VAT is refunded."
                " The net amounts stay as they were.",
                number=number,
            )
    return ""


def _arithmetic(w: Wording, document: Invoice, lines: Sequence[InvoiceLine]) -> list[Part]:
    """For each line that prorates an earlier charge; for the others, the table is enough: seats, price, net, rate and VAT.

    Only on a first document: a correction refers to it.
    """
    if document.reason is not InvoiceReason.ORDER:
        return []
    telling = Telling(
        w=w,
        names=_names_of(lines),
        in_effect=True,
        whose_vat=whose_vat(document, lines),
        credit_timezones=credit_timezones(document),
    )
    return [
        Part(telling.names.plan(line.product_code, line.tier_code), sentences(line, telling))
        for line in lines
        if line.from_charged_minor
    ]
