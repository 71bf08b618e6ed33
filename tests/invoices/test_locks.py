"""Who changes what is owed on an order has the order first and the sum then: in one order, so that no two wait for each other."""

from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from models.orders import Order
from tasks import invoicing, receivables
from tests.invoices.documents import one
from tests.support.world import World, purchase


def until_it_waits_for(session: Session, work: Future[str]) -> None:
    """For a lock that `session` has; or until it is done."""
    waits = "select exists (select from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid)))"
    while not work.done() and not session.scalar(text(waits)):
        pass


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
