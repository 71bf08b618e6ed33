"""Currencies without and with three decimals, charged as quoted."""

from tests.support.world import World, change, purchase


def test_yen_have_no_decimals(world: World) -> None:
    ada = world.customer(country="JP", currency="JPY", timezone="Asia/Tokyo")
    order = world.buy(ada, purchase(seats=3))
    assert (order.status, order.due_minor, world.charged(ada)) == ("completed", 3000, [3000])


def test_a_due_that_the_card_network_cannot_take_is_rounded_up_and_the_difference_becomes_balance(world: World) -> None:
    ada = world.customer(country="KW", currency="KWD", timezone="Asia/Kuwait")
    world.buy(ada, purchase(seats=1))
    world.pass_time(days=10, seconds=1)
    order = world.buy(ada, change(seats=2))
    assert order.total_minor == 20000 - 6667
    assert (order.due_minor, order.to_balance_minor) == (13340, 7)
    assert world.charged(ada) == [10000, 13340]
    assert world.balance(ada) == 7
