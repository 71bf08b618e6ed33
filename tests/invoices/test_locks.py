"""Who changes what is owed on an order has the order first and the sum then: in one order, so that no two wait for each other."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from models.account_lock import lock_account
from models.invoice_numbers import day_of_both
from models.invoices import InvoiceSeries, Receivable
from models.orders import Order
from models.states import OrderStatus, Step
from tasks.billing import invoicing, receivables
from tasks.operating import outside_refunds, support_refund
from tests.invoices.documents import documents, one
from tests.support.vat_outage import NUMBER, ask_again, during_outage, follow_up
from tests.support.waiting import until_it_waits_for
from tests.support.world import World, purchase


def test_who_marks_it_paid_waits_for_who_has_the_order_and_holds_up_nothing_of_theirs(world: World) -> None:
    world.policy(invoice_on_vat=True)
    ada = world.customer(card=None, vat_number="DE136695976")
    order_id = world.buy(ada, purchase()).id
    number = one(world, order_id).number

    def pay() -> str:
        with world.begin() as session:
            return receivables.mark_paid(session, number, on=world.time, by="ops").status

    with ThreadPoolExecutor(1) as another:
        with world.begin() as session:
            order = session.get_one(Order, order_id, with_for_update=True)
            paying = another.submit(pay)
            until_it_waits_for(session, paying)
            session.execute(text("set local lock_timeout = '50ms'"))
            invoicing.issue_credit_note(session, order)
        with pytest.raises(receivables.NothingOwed, match="any more: it is cancelled"):
            paying.result()


def test_a_refund_has_the_order_before_it_cancels_what_is_owed_though_the_money_is_back_already(world: World) -> None:
    order = world.buy(world.customer(), purchase())
    with world.begin() as session:
        receivables.owe(session, one(world, order.id), 20_00)
        support_refund.refund(session, order.id, by="ops", why="asked", now=world.time)
    world.park(order.id)
    outside_refunds.settle(order.id, by="ops", why="by transfer")

    with ThreadPoolExecutor(1) as another:
        with world.begin() as session:
            session.execute(select(Receivable).with_for_update())
            refunding = another.submit(world.deliver, order.id, Step.REFUND_PAYMENT)
            until_it_waits_for(session, refunding)
            with pytest.raises(OperationalError, match="could not obtain lock"):
                session.get_one(Order, order.id, with_for_update={"nowait": True})
            session.rollback()
        assert refunding.result() == "done"
    assert world.run(order.id).status is OrderStatus.REFUNDED


def test_a_refund_that_waits_for_the_account_holds_up_no_document_of_who_has_it(world: World) -> None:
    """What was paid by transfer goes to the balance before the credit note takes its number: activations and corrections have the account
    when they take theirs, and would wait for the refund as it waits for them."""
    ada = world.customer()
    order, other = world.buy(ada, purchase("desk")), world.buy(ada, purchase("chat"))
    with world.begin() as session:
        receivables.owe(session, one(world, order.id), 20_00)
    with world.begin() as session:
        receivables.mark_paid(session, one(world, order.id).number, on=world.time, by="ops")
        support_refund.refund(session, order.id, by="ops", why="asked", now=world.time)

    with ThreadPoolExecutor(1) as another:
        with world.begin() as session:
            lock_account(session, ada.account_id)
            refunding = another.submit(world.deliver, order.id, Step.REFUND_PAYMENT)
            until_it_waits_for(session, refunding)
            assert not refunding.done()
            session.execute(text("set local lock_timeout = '50ms'"))
            invoicing.issue_credit_note(session, session.get_one(Order, other.id))
            session.rollback()
        assert refunding.result() == "done"
    assert (world.run(order.id).status, world.balance(ada)) == (OrderStatus.REFUNDED, 20_00)


def test_the_series_of_credit_notes_is_locked_before_that_of_invoices_also_before_the_years_first(world: World) -> None:
    """Whoever corrects an invoice has both; between the two, nobody may begin the series that others lock first."""
    with world.begin() as ours, world.begin() as theirs:
        day_of_both(ours, world.time.date())
        theirs.execute(text("set local lock_timeout = '50ms'"))
        theirs.add(InvoiceSeries(series="CN", year=world.time.year, last_sequence=1))
        with pytest.raises(OperationalError, match="lock timeout"):
            theirs.flush()
        theirs.rollback()


def asked_again(world: World) -> None:
    world.vies.register(NUMBER, status="invalid")
    assert ask_again(world) == 1


def test_a_vat_follow_up_waits_for_who_has_the_order_and_corrects_none_that_was_refunded_meanwhile(
    world: World,
) -> None:
    _, order = during_outage(world)
    with ThreadPoolExecutor(1) as another:
        with world.begin() as session:
            session.get_one(Order, order.id, with_for_update=True).status = OrderStatus.REFUNDED
            asking = another.submit(asked_again, world)
            until_it_waits_for(session, asking)
        asking.result()
    assert follow_up(world, order).outcome == "order_ended"
    assert len(documents(world, order.id)) == 1


def test_a_vat_follow_up_waits_for_who_has_the_account(world: World) -> None:
    eva, order = during_outage(world)
    with ThreadPoolExecutor(1) as another:
        with world.begin() as session:
            lock_account(session, eva.account_id)
            asking = another.submit(asked_again, world)
            until_it_waits_for(session, asking)
            assert not asking.done()
        asking.result()
    assert follow_up(world, order).outcome == "vat_charged"
