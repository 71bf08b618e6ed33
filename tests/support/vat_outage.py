"""Orders placed on a VAT number while the registry is away, and what follows once it answers."""

from typing import Any

from models.orders import Order
from models.states import OrderStatus
from models.vat_follow_ups import VatFollowUp
from tasks import placement
from tasks.policy import VatOutage
from tasks.vat.vat_follow_up import vat_follow_up
from tests.support.books import verified
from tests.support.world import Customer, World, purchase

NUMBER = "ATU13585627"


def during_outage(world: World, policy: VatOutage = VatOutage.PROVISIONAL, **account: Any) -> tuple[Customer, Order]:
    """A customer in Austria buys ten seats for 100.00 while the registry is away; afterwards it is back."""
    world.policy(vat_outage=policy)
    eva = world.customer(**{"country": "AT", "vat_number": NUMBER, **account})
    world.vies.fail("MS_UNAVAILABLE")
    order = world.buy(eva, purchase("desk", "team", seats=10))
    if order.status is OrderStatus.AWAITING_CONFIRMATION and order.proposed_quote_id is not None:
        with world.begin() as session:
            placement.confirm(session, order_id=order.id, quote_id=order.proposed_quote_id, now=world.time)
        order = world.run(order.id)
    assert order.status is OrderStatus.COMPLETED
    world.vies.http.delete("/_control/faults").raise_for_status()
    return eva, order


def corrected_invoice(world: World, **account: Any) -> tuple[Customer, Order]:
    """A purchase on a number that turned out invalid."""
    eva, order = during_outage(world, **account)
    turns_out_invalid(world)
    return eva, order


def turns_out_invalid(world: World) -> None:
    """The registry no longer knows the number, and is asked again."""
    world.vies.register(NUMBER, status="invalid")
    ask_again(world)


def ask_again(world: World, *, minutes: float = 6) -> int:
    world.pass_time(minutes=minutes)
    worked_on: int = vat_follow_up()
    return worked_on


def follow_up(world: World, order: Order) -> VatFollowUp:
    (row,) = world.rows(VatFollowUp, order_id=order.id)
    found: VatFollowUp = row
    return found


def nothing_differs(world: World) -> bool:
    return verified(world) == []
