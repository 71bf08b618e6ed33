"""A card is stored with the provider, whatever the provider answers first."""

import re

import pytest

from models.accounts import PaymentMethod
from models.states import OrderStatus
from tasks.errors import OutcomeUnknown
from tasks.upstream import declines
from tests.support.many_orders import Plans, charge_copies, copy_completed_orders
from tests.support.world import World, purchase


@pytest.mark.parametrize("operation", ["customers.create", "payment_methods.attach"])
@pytest.mark.parametrize("kind", ["server_error", "server_error_after_effect"])
def test_a_card_can_be_given_although_the_provider_keeps_a_failure_under_the_first_key(
    world: World, operation: str, kind: str
) -> None:
    """Such a failure is answered for ever under its key; what moves no money goes on under the next."""
    ada = world.customer(card=None)
    order_id = world.place(ada, purchase())
    world.run(order_id)
    world.stripe.fail(kind, operation, times=1)
    world.give_card(ada)
    world.pay_again(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


@pytest.mark.parametrize("operation", ["customers.create", "payment_methods.attach"])
def test_a_card_can_be_given_again_although_the_provider_repeats_an_error_of_another_kind(
    world: World, operation: str
) -> None:
    ada = world.customer(card=None)
    world.stripe.fail("dependency_failed", operation, times=1)
    with pytest.raises(OutcomeUnknown):
        world.give_card(ada)
    world.give_card(ada)
    assert [method.last4 for method in world.rows(PaymentMethod, account_id=ada.account_id)] == ["4242"]


def test_what_an_account_charged_before_is_not_read_when_it_gives_a_card(world: World) -> None:
    ada = world.customer()
    world.buy(ada, purchase())
    copy_completed_orders(world, ada)
    charge_copies(world, status="succeeded")
    with Plans(world, "charge_attempts") as plans, world.begin() as session:
        assert declines.none_until(session, ada.account_id) is None
    [plan] = plans.noted
    assert re.search(r"ix_charge_attempts_declined.*\n *Index Cond: \(settled_at > ", plan), plan
