"""The figures below a document's table: VAT by country and rate [8, 9, 10], the total, and how it is settled."""

from collections import Counter
from collections.abc import Iterator, Sequence

from models.invoices import Invoice, InvoiceLine, InvoiceReason
from tasks.invoices.row_vat import RowVat, RowVats
from tasks.letters.content import Row, Weight
from tasks.letters.payment_words import how_it_is_paid, where_it_went
from tasks.letters.wording import Wording


def settlement(w: Wording, document: Invoice, lines: Sequence[InvoiceLine]) -> tuple[Row, ...]:
    taxes = _tax_rows(w, document, lines)
    rows = [
        Row(w.say("Net total"), w.money(document.net_minor)),
        *taxes,
        *([Row(w.say("VAT"), w.money(document.tax_minor))] if len(taxes) != 1 else []),
        Row(w.say("Total"), w.money(document.total_minor), Weight.TOTAL),
    ]
    if document.sign == -1:
        nothing_due = [Row(_due(w, document), w.money(0), Weight.TOTAL)] if document.total_minor > 0 else []
        return (*rows, *nothing_due, *_given_back(w, document))
    if document.balance_used_minor:
        rows.append(Row(w.say("Paid from your balance"), w.money(-document.balance_used_minor)))
    if document.paid_before_minor:
        rows.append(Row(w.say("Paid already"), w.money(-document.paid_before_minor)))
    if document.to_balance_minor:
        rows.append(Row(w.say("Added to your balance"), w.money(document.to_balance_minor)))
    if document.due_minor or document.total_minor >= 0:
        rows.append(Row(_due(w, document), w.money(document.due_minor), Weight.TOTAL))
    return tuple(rows)


def _given_back(w: Wording, document: Invoice) -> list[Row]:
    """Where a refund's money went. With the total, these sums make zero. Older documents do not have them."""
    if document.reason is not InvoiceReason.REFUND or not document.paid_before_minor:
        return []
    charge, balance, rounding = document.paid_before_minor, document.to_balance_minor, document.balance_used_minor
    sums = [
        (where_it_went(w, to_the_card=document.payment_kind is not None, card=document.card), charge),
        (w.say("Added to your balance"), balance),
        (w.say("Taken from your balance: what your payment was rounded up by"), -rounding),
        (w.say("Not paid yet, and no longer due"), -document.total_minor - charge - balance + rounding),
    ]
    return [Row(label, w.money(minor)) for label, minor in sums if minor]


def payment_terms(w: Wording, document: Invoice, *, still_owed: int | None = None) -> list[str]:
    """still_owed: if that is no longer what the document says."""
    due_at = document.payment_due_at
    if due_at is None or not is_owed(document):
        return []
    return [
        w.say(
            "Please pay %(amount)s by %(date)s by bank transfer, quoting %(number)s.",
            amount=w.money(document.due_minor if still_owed is None else still_owed),
            date=w.date(due_at),
            number=document.number,
        )
    ]


def bank_account(w: Wording, document: Invoice) -> str | None:
    """The one to pay what is owed on the document to, as a sentence."""
    account = document.seller.get("bank_account")
    return w.say("Our bank account: %(account)s.", account=account) if account and is_owed(document) else None


def is_owed(document: Invoice) -> bool:
    """Whether the customer must pay it by transfer; a card has been charged already."""
    return document.sign == 1 and document.due_minor > 0 and document.payment_due_at is not None


def _tax_rows(w: Wording, document: Invoice, lines: Sequence[InvoiceLine]) -> tuple[Row, ...]:
    """Net and VAT for each country and rate, and for each reason why there is none; a charge has today's rate, a credit the rate it was charged at.

    The part of a charge that a later change had credited before VAT became due on it has no VAT. It gets its own row, so that the nets add up.
    """
    vats = RowVats(document, lines)
    nets, taxes = Counter[RowVat](), Counter[RowVat]()
    for line in lines:
        for vat, net, tax in _parts(vats, line):
            nets[vat] += document.sign * net
            taxes[vat] += document.sign * tax
    every_sum = document.reason is not InvoiceReason.VAT_NUMBER_CONFIRMED
    told = [vat for vat in nets if every_sum or nets[vat] or taxes[vat]]
    highest_first = sorted(told, key=lambda vat: (-vat.rate, vat.no_vat or ""))
    rows = [Row(vat.sum_of(w, w.money(nets[vat])), w.money(taxes[vat])) for vat in highest_first]
    credited = document.sign * sum(line.charge_minor - line.tax_base_minor for line in lines)
    if credited:
        rows.append(Row(w.say("No VAT on %(net)s: credited later", net=w.money(credited)), w.money(0)))
    return tuple(rows)


def _parts(vats: RowVats, line: InvoiceLine) -> Iterator[tuple[RowVat, int, int]]:
    """Net and VAT of its charge, and of its credit."""
    yield vats.of_charge(line), line.tax_base_minor, line.charge_tax_minor
    if line.unused_minor or line.unused_tax_minor:
        yield vats.of_credit(line), -line.unused_minor, -line.unused_tax_minor


def _due(w: Wording, document: Invoice) -> str:
    return how_it_is_paid(w, due_minor=document.due_minor, payment_due_at=document.payment_due_at, card=document.card)
