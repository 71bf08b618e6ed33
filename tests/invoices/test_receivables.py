"""What is owed by transfer, and that it came in."""

from datetime import timedelta

import pytest

from models.invoices import Receivable, ReceivableStatus
from tasks import receivables
from tests.invoices.documents import one
from tests.support.world import Customer, World, purchase


def invoiced(world: World) -> tuple[Customer, str]:
    world.policy(invoice_on_vat=True)
    ada = world.customer(card=None, vat_number="DE136695976")
    return ada, one(world, world.buy(ada, purchase()).id).number


def pay(world: World, number: str) -> None:
    with world.begin() as session:
        receivables.mark_paid(session, number, on=world.time, by="ops")


def test_what_is_owed_is_listed_until_it_is_paid(world: World) -> None:
    _, number = invoiced(world)
    with world.begin() as session:
        [(owed, invoice, _)] = receivables.open_sums(session)
    assert (invoice.number, owed.amount_minor, owed.currency) == (number, 119_00, "EUR")
    pay(world, number)
    with world.begin() as session:
        assert receivables.open_sums(session) == []
    [row] = world.rows(Receivable)
    assert (row.status, row.settled_at) == (ReceivableStatus.PAID, world.time)


def test_it_is_paid_once(world: World) -> None:
    _, number = invoiced(world)
    pay(world, number)
    with pytest.raises(receivables.NothingOwed, match=f"nothing is owed on {number} any more: it is paid"):
        pay(world, number)


def test_an_invoice_that_a_card_paid_owes_nothing(world: World) -> None:
    order = world.buy(world.customer(), purchase())
    with pytest.raises(receivables.NothingOwed, match="it was paid by card or balance"):
        pay(world, one(world, order.id).number)


@pytest.mark.parametrize("days", [-1, 1], ids=["before it was issued", "tomorrow"])
def test_it_was_paid_between_its_issue_and_today(world: World, days: int) -> None:
    _, number = invoiced(world)
    with pytest.raises(receivables.WrongDay, match="only from then until today"), world.begin() as session:
        receivables.mark_paid(session, number, on=world.time + timedelta(days=days), by="ops")
    pay(world, number)
