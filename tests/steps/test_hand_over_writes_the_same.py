"""An order done in one process leaves the same rows, and the same document, as one done by a message for each step."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest

from models.invoices import Invoice, InvoiceLine, Receivable
from models.messages import SentLetter
from models.orders import OrderEvent, OrderLine
from models.payments import ChargeAttempt
from models.rules.cart import CartLine
from models.states import LetterKind, OrderStatus, Step
from models.subscriptions import SubscriptionPeriod
from tasks import wiring
from tasks.billing import attachments
from tasks.ports import Letter
from tests.support.in_one_process import Events, delivered
from tests.support.world import World, purchase, trial

CARTS = [
    pytest.param((purchase(),), {}, id="card"),
    pytest.param((purchase("desk"), trial("chat")), {}, id="two lines"),
    pytest.param((trial(),), {"card": None}, id="trial"),
    pytest.param((purchase(),), {"card": None, "country": "FR", "vat_number": "FR40303265045"}, id="invoice"),
]


@pytest.mark.parametrize(("cart", "account"), CARTS)
def test_what_stands_in_the_tables_is_what_messages_would_have_written(
    world: World, events: Events, cart: tuple[CartLine, ...], account: dict[str, Any]
) -> None:
    world.policy(invoice_on_vat=True)
    by_message, in_one = (world.place(world.customer(**account), *cart) for _ in range(2))
    assert world.run(by_message).status is OrderStatus.COMPLETED
    delivered(in_one, Step.VALIDATE_CART)
    assert everything(world, in_one) == everything(world, by_message)


OF_ORDER = (OrderLine, OrderEvent, ChargeAttempt, SubscriptionPeriod, Invoice, SentLetter)
OF_INVOICE = (InvoiceLine, Receivable)
APART = ("id", "at", "number", "key", "cause", "ref", "buyer", "sequence", "digest")
"""how columns end whose values tell two orders apart"""


def everything(world: World, order_id: UUID) -> dict[str, list[dict[str, Any]]]:
    """Each row that belongs to the order."""
    found = {table.__name__: world.rows(table, order_id=order_id) for table in OF_ORDER}
    for invoice in found["Invoice"]:
        found |= {table.__name__: world.rows(table, invoice_id=invoice.id) for table in OF_INVOICE}
    found["Order"] = [world.order(order_id)]
    return {name: [plain(row) for row in rows] for name, rows in found.items()}


def plain(row: Any) -> dict[str, Any]:
    values = {column.key: getattr(row, column.key) for column in row.__mapper__.column_attrs}
    values |= {f"facts.{name}": value for name, value in values.pop("facts", {}).items()}
    return {name: value for name, value in values.items() if not name.endswith(APART)}


def test_the_invoice_that_goes_with_the_letter_is_the_one_in_the_tables(world: World, events: Events) -> None:
    """It is drawn from what was in hand, not read again."""
    ada = world.customer()
    order_id = world.place(ada, purchase())
    sent: list[Letter] = []
    wiring.plug_in(replace(world.wiring, mailer=Remembers(sent)))
    delivered(order_id, Step.VALIDATE_CART)
    wiring.plug_in(world.wiring)
    with world.begin() as session:
        from_the_tables = attachments.for_letter(session, world.order(order_id), LetterKind.CONFIRMATION)
    assert [letter.attachments for letter in sent] == [from_the_tables, ()]
    assert from_the_tables[0].content.startswith(b"%PDF")


@dataclass
class Remembers:
    """A mailer that hands nothing over."""

    sent: list[Letter]

    def send(self, letter: Letter) -> None:
        self.sent.append(letter)
