"""What was invoiced is what was paid, is owed, or was balance."""

from uuid import UUID

from tasks.billing import receivables
from tasks.operating import support_refund
from tasks.policy import VatOutage
from tests.closing.equation import equation
from tests.support.vat_outage import NUMBER, ask_again, corrected_invoice, during_outage
from tests.support.world import MONTH, World, change, purchase


def refund(world: World, order_id: UUID) -> None:
    with world.begin() as session:
        support_refund.refund(session, order_id, by="support", why="asked for", now=world.time)
    world.run(order_id)


def holds(world: World) -> bool:
    return all(invoiced == settled for _, invoiced, settled in equation(world))


def test_it_holds_where_balance_was_granted_made_spent_and_rounded(world: World) -> None:
    ada, eve = world.customer(), world.customer(currency="KWD", country="KW")
    world.grant(ada, 19_00)
    world.buy(ada, purchase("desk", seats=10))
    world.reprice("desk", "team", MONTH, 10_003)
    world.pass_time(days=15)
    world.buy(ada, change("desk", seats=1))
    world.buy(ada, purchase("wiki", "basic", seats=1))
    world.buy(eve, purchase("desk", seats=3))
    assert [each[0] for each in equation(world)] == ["EUR", "KWD"]
    assert holds(world)


def test_it_holds_after_a_refund(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 19_00)
    refund(world, world.buy(ada, purchase()).id)
    assert (equation(world), world.balance(ada)) == ([("EUR", 0, 0)], 19_00)


def test_it_holds_while_vat_is_owed_once_it_is_paid_and_when_it_has_become_balance(world: World) -> None:
    _, order = corrected_invoice(world)
    assert equation(world) == [("EUR", 120_00, 120_00)]
    with world.begin() as session:
        receivables.mark_paid(session, "INV-2026-000002", on=world.time, by="ops")
    assert equation(world) == [("EUR", 120_00, 120_00)]
    refund(world, order.id)
    assert equation(world) == [("EUR", 0, 0)]


def test_it_holds_where_vat_has_become_balance(world: World) -> None:
    eva, _ = during_outage(world, VatOutage.CHARGE_VAT)
    ask_again(world)
    assert (equation(world), world.balance(eva)) == ([("EUR", 100_00, 100_00)], 20_00)


def test_it_holds_for_an_invoice_that_was_replaced(world: World) -> None:
    world.policy(invoice_on_vat=True)
    during_outage(world, card=None)
    world.vies.register(NUMBER, status="invalid")
    ask_again(world)
    assert equation(world) == [("EUR", 120_00, 120_00)]
