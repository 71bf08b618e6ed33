"""An order placed on a quote that was made before, and what its customer is told has changed since."""

from models.orders import Order, Quote
from models.states import OrderStatus
from tasks.letters.reasons import DIFFERS, VAT_CHARGED
from tests.support.world import Customer, World


def ordered(world: World, customer: Customer, quote: Quote) -> Order:
    """Placed and carried as far as it goes."""
    return world.run(world.place_quote(customer, quote.id))


def differs(order: Order) -> list[str]:
    """What the customer is told has changed; the order asks."""
    named = list((order.reason_facts or {})["differs"])
    assert order.status is OrderStatus.AWAITING_CONFIRMATION
    assert set(named) <= DIFFERS.keys() | VAT_CHARGED.keys()
    return named
