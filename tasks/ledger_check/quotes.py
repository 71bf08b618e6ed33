"""Checks that an order equals, to the cent and the second, the quote that its customer accepted last."""

from models.orders import PricedLine, Totals
from tasks.ledger_check.books import OrderBook
from tasks.ledger_check.differences import Check, Found, differs

_BINDING = [name for name in Totals.__annotations__ if name not in ("vat_number", "vat_set_aside", "sold_to")]
"""the buyer's data may change as long as the amount does not: see `models.progress.sell_to`"""


def check_quote(book: OrderBook) -> Found:
    order, quote = book.order, book.quote
    for name in ("account_id", *_BINDING):
        yield from differs(Check.QUOTE, book.where, f"{name}, as quoted,", getattr(quote, name), getattr(order, name))
    positions = [[line.position for line in lines] for lines in (book.quoted, book.lines)]
    yield from differs(Check.QUOTE, book.where, "the positions of its lines, as quoted,", *positions)
    ordered = {line.position: line for line in book.lines}
    for line in book.quoted:
        copy = ordered.get(line.position)
        for name in PricedLine.__annotations__ if copy is not None else ():
            yield from differs(
                Check.QUOTE,
                f"{book.where}, line {line.position}",
                f"{name}, as quoted,",
                getattr(line, name),
                getattr(copy, name),
            )
