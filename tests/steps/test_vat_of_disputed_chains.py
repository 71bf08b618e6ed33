"""VAT that turns out not to be due, of a change that credited what the customer's bank has taken back: it does not become balance."""

import pytest

from models.orders import Order, OrderEvent
from models.rules.cart import CartLine
from models.states import OrderStatus
from models.vat_follow_ups import FollowUpOutcome
from tasks.personal_data.erasure import NotErasable
from tasks.policy import VatOutage
from tests.steps.test_erasure import erase
from tests.steps.test_vat_of_disputed_charges import DAY, loses, told
from tests.support.disputes import happens
from tests.support.vat_outage import NUMBER, ask_again, during_outage, follow_up, nothing_differs
from tests.support.world import Customer, World, change, purchase

CONFIRMED, CREDITED = FollowUpOutcome.CONFIRMED, FollowUpOutcome.VAT_CREDITED


def changed_in_the_outage(world: World, customer: Customer, seats: int) -> Order:
    return bought_in_the_outage(world, customer, change("desk", seats=seats))


def bought_in_the_outage(world: World, customer: Customer, line: CartLine) -> Order:
    world.vies.fail("MS_UNAVAILABLE")
    order = world.buy(customer, line)
    if order.status is OrderStatus.AWAITING_CONFIRMATION:
        world.confirm(order.id)
        order = world.run(order.id)
    assert order.status is OrderStatus.COMPLETED
    world.vies.http.delete("/_control/faults").raise_for_status()
    return order


def bought_and_changed(world: World, *seats: int) -> tuple[Customer, Order, list[Order]]:
    """Ten seats for 120.00 with VAT, changed at once, time and again, and all of it while the registry is away."""
    eva, bought = during_outage(world, VatOutage.CHARGE_VAT)
    return eva, bought, [changed_in_the_outage(world, eva, count) for count in seats]


@pytest.mark.parametrize(("seats", "balance", "vat"), [([11], 0, 22_00), ([5], 60_00, 10_00), ([11, 12], 0, 24_00)])
def test_vat_of_a_change_is_not_credited_until_the_dispute_of_what_it_credited_was_won(
    world: World, seats: list[int], balance: int, vat: int
) -> None:
    eva, bought, changed = bought_and_changed(world, *seats)
    charge = world.charge_ref(bought.id)
    happens(world, charge, "needs_response")
    for minutes in (6, 20):
        ask_again(world, minutes=minutes)
        assert (world.balance(eva), follow_up(world, changed[-1]).outcome) == (balance, None)
    assert len(world.rows(OrderEvent, order_id=changed[-1].id, kind="vat.credit_withheld")) == 1
    with pytest.raises(
        NotErasable, match=f"order {changed[-1].number} awaits the end of the dispute of what paid for it"
    ):
        erase(eva)
    happens(world, charge, "won")
    ask_again(world, minutes=DAY)
    assert (world.balance(eva), follow_up(world, changed[-1]).outcome) == (balance + vat, CREDITED)
    assert nothing_differs(world)


@pytest.mark.parametrize("seats", [[11], [5], [11, 12]])
def test_vat_of_a_change_is_not_credited_once_what_it_credited_is_lost(world: World, seats: list[int]) -> None:
    eva, bought, changed = bought_and_changed(world, *seats)
    balance = world.balance(eva)
    happens(world, world.charge_ref(bought.id), "lost")
    ask_again(world)
    assert (world.balance(eva), follow_up(world, changed[-1]).outcome) == (balance, CONFIRMED)
    assert told(world, changed[-1]) == {"answer": "valid", "outcome": "confirmed"}


def test_a_change_that_fell_into_the_outage_alone_is_not_credited_vat_that_a_lost_charge_paid(world: World) -> None:
    eva = world.customer(country="AT")
    bought = world.buy(eva, purchase("desk", "team", seats=10))
    world.policy(vat_outage=VatOutage.CHARGE_VAT)
    world.change_account(eva, vat_number=NUMBER)
    changed = changed_in_the_outage(world, eva, 11)
    happens(world, world.charge_ref(bought.id), "lost")
    ask_again(world)
    assert (world.balance(eva), follow_up(world, changed).outcome) == (0, CONFIRMED)


@pytest.mark.parametrize(("lost", "owed"), [(19_00, {"owed_minor": 3_00}), (21_99, {"owed_minor": 1}), (22_00, {})])
def test_what_the_bank_left_of_the_vat_of_a_change_is_named(world: World, lost: int, owed: dict[str, int]) -> None:
    eva, bought, [changed] = bought_and_changed(world, 11)
    loses(world, bought, lost)
    ask_again(world)
    assert world.balance(eva) == 0
    assert told(world, changed) == {"answer": "valid", "outcome": "confirmed", **owed}


def test_of_what_the_bank_took_each_order_bears_the_share_that_it_kept(world: World) -> None:
    """Of 120.00 the change half a month later credits a half, and the bank takes 12.00: a half of that falls on each."""
    eva, bought = during_outage(world, VatOutage.CHARGE_VAT)
    start = world.subscription(eva, "desk").period_start
    world.time = start + (world.subscription(eva, "desk").period_end - start) / 2
    changed = changed_in_the_outage(world, eva, 11)
    loses(world, bought, 12_00)
    ask_again(world, minutes=DAY)
    assert told(world, bought)["owed_minor"] == 10_00 - 6_00
    assert told(world, changed)["owed_minor"] == 22_00 - 6_00


def test_the_share_that_a_change_bears_is_exact(world: World) -> None:
    """14 of 100 is no binary fraction: of 100.00 it would be a little more than 14.00, and a cent of VAT less would be owed."""
    eva, bought = during_outage(world, VatOutage.CHARGE_VAT)
    running = world.subscription(eva, "desk")
    world.time = running.period_start + (running.period_end - running.period_start) * 86 / 100
    changed = changed_in_the_outage(world, eva, 11)
    assert changed.lines[0].unused_minor == 14_00
    loses(world, bought, 100_00)
    ask_again(world)
    assert told(world, changed)["owed_minor"] == 22_00 - 14_00


def test_vat_of_a_change_is_not_withheld_for_what_the_bank_took_of_a_period_that_was_over(world: World) -> None:
    eva, bought = during_outage(world, VatOutage.CHARGE_VAT)
    world.pass_time(days=40)
    again = bought_in_the_outage(world, eva, purchase("desk", "team", seats=10))
    happens(world, world.charge_ref(bought.id), "lost")
    ask_again(world, minutes=DAY)
    assert follow_up(world, again).outcome is CREDITED
