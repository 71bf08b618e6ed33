"""Orders about to be charged when a backup is taken, and what is due and in the books after the restore."""

from datetime import timedelta
from uuid import UUID

from tasks.reconciliation.reconcile import reconcile
from tests.support.world import Customer, World, change, purchase

LOST, DUE = 376_84, 381_60
"""what was charged since the backup, and what the customer has confirmed after the restore"""


def about_to_buy(world: World, card: str = "pm_card_visa") -> tuple[Customer, UUID]:
    ada = world.customer(card=card)
    order_id = world.place(ada, purchase())
    world.placed_now(order_id)
    return ada, order_id


def about_to_change(world: World, card: str = "pm_card_visa") -> tuple[Customer, UUID]:
    ada = world.customer()
    world.buy(ada, purchase())
    world.give_card(ada, card)
    world.pass_time(days=5)
    order_id = world.place(ada, change(seats=40))
    world.placed_now(order_id)
    return ada, order_id


def money(world: World, ada: Customer) -> tuple[list[int], list[int]]:
    """What the provider took for the change, and gave back."""
    first, *then = world.charged(ada)
    assert first == 119_00
    return then, world.given_back(ada)


def reconciled(world: World, ada: Customer) -> list[tuple[str, str, str]]:
    """What `prorata ledger reconcile` says about the change; the provider has the machine's clock."""
    books = world.books(ada)
    refs = {made["id"] for kind in ("payment_intents", "refunds") for made in books[kind][kind != "refunds" :]}
    since, until = world.time - timedelta(days=30), world.time + timedelta(days=3650)
    found = [each for each in reconcile(since, until).differences if each.what.split()[1] in refs]
    return sorted((each.what.split()[0], each.expected, each.found) for each in found)
