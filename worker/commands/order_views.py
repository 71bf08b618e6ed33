"""Orders as tables for people and as JSON for programs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from models.invoices import Invoice, Receivable
from models.ledger import LedgerMovement
from models.orders import Order, OrderLine
from models.payments import ChargeAttempt, RefundAttempt
from models.rules.currency import major
from models.states import OrderStatus
from tasks.invoices.corrected import corrected
from tasks.operating.at_provider import AtProvider
from tasks.operating.order_story import Story
from tasks.ports import Dispute
from worker.commands.screen import moment, plain
from worker.printed_tables import Column, Rows

_AMOUNTS = ("net", "tax", "total", "amount", "owed")
_COLORS = {
    OrderStatus.COMPLETED: "green",
    OrderStatus.REJECTED: "red",
    OrderStatus.NEEDS_ATTENTION: "bold red",
    OrderStatus.OPEN: "cyan",
}


def what(lines: Sequence[OrderLine]) -> str:
    """The cart in a few words."""
    return "; ".join(
        f"{line.action} {line.product_code}/{line.tier_code} x{line.seats}"
        + (f" per {line.interval}" if line.interval else "")
        for line in lines
    )


def status_line(order: Order) -> str:
    """Status, and with it the reason or the step."""
    detail = order.reason or (order.next_step if order.status is OrderStatus.OPEN else None)
    return f"{order.status}: {detail}" if detail else order.status.value


_LISTED = (
    *(Column(heading) for heading in ("order", "placed (UTC)", "account", "what", "standing")),
    *(Column("net", right=True, spare=True), Column("tax", right=True, spare=True), Column("due", right=True)),
    Column(""),
)


def table(rows: Sequence[tuple[Order, str]]) -> Rows:
    cells = []
    for order, account in rows:
        color = _COLORS.get(order.status, "yellow")
        amounts = (major(minor, order.currency) for minor in (order.net_minor, order.tax_minor, order.due_minor))
        standing = f"[{color}]{status_line(order)}[/]"
        placed = moment(order.created_at)
        bought = plain(what(order.lines))
        cells.append((str(order.number), placed, plain(account), bought, standing, *amounts, order.currency))
    return Rows(_LISTED, cells)


def story(told: Story, at_provider: Sequence[AtProvider] | str) -> Iterator[RenderableType]:
    """at_provider: what the payment provider says now, or why it could not be asked."""
    order = told.order
    yield f"[bold]Order {order.number}[/]  {order.id}"
    yield f"{plain(told.account.name)}, placed {moment(order.created_at)} UTC, [bold]{status_line(order)}[/]"
    if order.last_error:
        yield f"last error: {plain(order.last_error)}"
    yield _titled("Lines", "what", "net", "tax", "total", rows=[_line(line, order.currency) for line in order.lines])
    yield _settlement(order)
    attempts = [
        *((f"charge {c.attempt}", *_amount(c), c.status, c.key, c.ref or c.decline_code or "") for c in told.charges),
        *((f"refund {r.attempt}", *_amount(r), r.status, r.key, r.ref or "") for r in told.refunds),
        *((f"balance {m.kind}", *_amount(m), "", m.cause, "") for m in told.movements),
    ]
    yield _titled("Money", "what", "amount", "", "status", "key", "provider's id", rows=attempts)
    yield _provider(at_provider)
    checks = [(c.number, c.status, moment(c.asked_at), c.consultation_number or "") for c in told.vat_checks]
    yield _titled("VAT number", "number", "VIES said", "asked at (UTC)", "consultation number", rows=checks)
    columns = ("number", "kind", "reason", "corrects", "issued on", "total", "", "owed", "status")
    yield _titled("Documents", *columns, rows=[_document(*each) for each in told.documents])
    letters = [(letter.kind, letter.status, str(letter.attempts), letter.message_id) for letter in told.letters]
    yield _titled("Letters", "letter", "status", "tries", "Message-ID", rows=letters)
    events = [(moment(event.at), event.kind, _facts(event.facts)) for event in told.events]
    yield _titled("Timeline", "at (UTC)", "what", "", rows=events)


def order_as_json(order: Order, account: str) -> dict[str, Any]:
    return {**_columns(order), "account": account, "lines": [_columns(line) for line in order.lines]}


def story_as_json(told: Story, at_provider: Sequence[AtProvider] | str) -> dict[str, Any]:
    parts = ("charges", "refunds", "letters", "movements", "vat_checks", "events")
    listed = {name: [_columns(row) for row in getattr(told, name)] for name in parts}
    asked: dict[str, Any] = (
        {"at_provider": None, "at_provider_error": at_provider}
        if isinstance(at_provider, str)
        else {"at_provider": [asdict(each) for each in at_provider], "at_provider_error": None}
    )
    documents = [_document_as_json(*each) for each in told.documents]
    return {**order_as_json(told.order, told.account.name), **listed, "documents": documents, **asked}


def dispute_as_json(dispute: Dispute) -> dict[str, Any]:
    names = ("status", "amount_minor", "currency", "due_at")
    told = {name: getattr(dispute, name) for name in names}
    return {"dispute": dispute.ref, "charge": dispute.charge_ref, **told, "bank_says": dispute.reason}


def _provider(at_provider: Sequence[AtProvider] | str) -> RenderableType:
    if isinstance(at_provider, str):
        return f"The payment provider could not be asked: {plain(at_provider)}"
    rows = [(f"{each.what} {each.attempt or ''}", *_amount(each), each.status, each.ref) for each in at_provider]
    return _titled("At the payment provider now", "what", "amount", "", "status", "provider's id", rows=rows)


def _amount(of: ChargeAttempt | RefundAttempt | LedgerMovement | AtProvider) -> tuple[str, str]:
    return major(of.amount_minor, of.currency), of.currency


def _line(line: OrderLine, currency: str) -> tuple[str, ...]:
    change = f" (from {line.from_tier} x{line.from_seats})" if line.from_tier else ""
    amounts = (line.net_minor, line.tax_minor, line.total_minor)
    return (what([line]) + change, *(major(minor, currency) for minor in amounts))


def _document(document: Invoice, owed: Receivable | None) -> tuple[str, ...]:
    return (
        *(document.number, document.kind, document.reason, _corrects(document) or "", str(document.issued_on)),
        *(major(document.total_minor, document.currency), document.currency),
        *((major(owed.amount_minor, owed.currency), owed.status) if owed else ("", "")),
    )


def _corrects(document: Invoice) -> str | None:
    return ", ".join(corrected(document, document.lines)) or None


def _document_as_json(document: Invoice, owed: Receivable | None) -> dict[str, Any]:
    """owed_...: what is, or was, to be paid by transfer."""
    facts = ("number", "kind", "reason", "issued_on", "supplied_on", "currency")
    return {
        **{name: getattr(document, name) for name in (*facts, "net_minor", "tax_minor", "total_minor")},
        "corrects": _corrects(document),
        "owed_minor": owed.amount_minor if owed else None,
        "owed_status": owed.status if owed else None,
        "settled_at": owed.settled_at if owed else None,
    }


def _settlement(order: Order) -> str:
    parts = {
        "total": order.total_minor,
        "from balance": order.balance_used_minor,
        "to balance": order.to_balance_minor,
        "due": order.due_minor,
    }
    said = ", ".join(f"{name} {major(minor, order.currency)}" for name, minor in parts.items())
    return f"{said} {order.currency}, means of payment: {order.payment_kind or 'none yet'}"


def _titled(title: str, *columns: str, rows: Sequence[Sequence[str]]) -> RenderableType:
    if not rows:
        return Text.assemble((title, "table.title"), ": none")
    cells = [[plain(str(cell)) for cell in row] for row in rows]
    return Rows([Column(name, right=name in _AMOUNTS) for name in columns], cells, title)


def _facts(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value not in (None, "", [], {}))


def _columns(row: Any) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__mapper__.column_attrs}
