"""A backup in tests is taken whoever comes and goes meanwhile: the thread that renews the leases of this process does."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

from models.orders import Order
from tasks.running import leases
from tests.support.backup import BackUp
from tests.support.world import World, purchase


def test_a_backup_is_taken_while_leases_are_renewed(world: World, backed_up: BackUp) -> None:
    keeper, over, renewing = leases.Keeper(), threading.Event(), threading.Event()

    def renew() -> None:
        while not over.is_set():
            keeper._renew({uuid4(): uuid4()}, timedelta(seconds=8))
            renewing.set()

    ada = world.customer()
    with ThreadPoolExecutor(1) as another:
        another.submit(renew)
        try:
            assert renewing.wait(60)
            restore = backed_up()
        finally:
            over.set()
    bought = world.buy(ada, purchase())
    assert [order.id for order in world.rows(Order)] == [bought.id]
    restore()
    assert world.rows(Order) == []
