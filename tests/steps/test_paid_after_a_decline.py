"""A restored database knows neither that a charge took nothing, nor that a later attempt's charge paid the order: no other card is asked for, and nothing is charged again."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import update

from models.accounts import PaymentMethod
from models.states import OrderStatus
from tests.steps.test_authentication import sweep_finds
from tests.support.backup import BackUp
from tests.support.books import verified
from tests.support.payment import ASKS_BANK, DECLINES
from tests.support.places import dying_at
from tests.support.restored import about_to_buy, reconciled
from tests.support.world import Customer, World

LIST = "payment_intents.list"


def paid_with_another_card(world: World, ada: Customer, order_id: UUID, *, declined: int = 1) -> None:
    for _ in range(declined):
        assert world.run(order_id).status is OrderStatus.PAYMENT_DECLINED
        world.give_card(ada, DECLINES)
        world.pay_again(order_id)
    world.give_card(ada)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED


def paid_once(world: World, ada: Customer, order_id: UUID, *, attempts: int = 2) -> bool:
    """By the last of so many attempts."""
    void = [(number, "void", 119_00) for number in range(1, attempts)]
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [])
    assert world.attempts(order_id) == [*void, (attempts, "succeeded", 119_00)]
    assert (verified(world), reconciled(world, ada)) == ([], [])
    return world.order(order_id).status is OrderStatus.COMPLETED


@pytest.mark.parametrize("declined", [1, 3])
def test_an_order_whose_declines_are_repeated_finds_the_charge_that_paid_it(
    world: World, backed_up: BackUp, declined: int
) -> None:
    ada, order_id = about_to_buy(world, DECLINES)
    restore = backed_up()
    paid_with_another_card(world, ada, order_id, declined=declined)
    restore()
    world.pass_time(hours=1)
    world.go_on(order_id)
    assert paid_once(world, ada, order_id, attempts=declined + 1)


def test_an_order_that_was_declined_in_the_backup_already_finds_its_charge_at_once_with_the_next_card(
    world: World, backed_up: BackUp
) -> None:
    ada, order_id = about_to_buy(world, DECLINES)
    world.run(order_id)
    restore = backed_up()
    world.give_card(ada, DECLINES)
    world.pay_again(order_id)
    paid_with_another_card(world, ada, order_id, declined=2)
    restore()
    world.give_card(ada, "pm_card_mastercard")
    world.pay_again(order_id)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]
    assert [status for _, status, _ in world.attempts(order_id)] == ["declined", "void", "void", "succeeded"]


def test_a_card_that_the_provider_no_longer_has_does_not_hide_the_charge_that_paid(
    world: World, backed_up: BackUp
) -> None:
    """Such a refusal is not kept under the key, so nothing says that it is repeated."""
    ada, order_id = about_to_buy(world)
    with world.begin() as session:
        of_hers = PaymentMethod.account_id == ada.account_id
        session.execute(update(PaymentMethod).where(of_hers).values(ref="pm_removed"))
    restore = backed_up()
    paid_with_another_card(world, ada, order_id)
    restore()
    world.go_on(order_id)
    assert paid_once(world, ada, order_id)


@pytest.fixture
def waits_at_the_bank(world: World, backed_up: BackUp) -> Callable[[str], tuple[Customer, UUID]]:
    """An order that the restored database knows to wait for its customer, whose payment came to nothing since, and whose next card paid."""

    def make(came_to: str) -> tuple[Customer, UUID]:
        ada, order_id = about_to_buy(world, ASKS_BANK)
        world.run(order_id)
        restore = backed_up()
        comes_to_nothing(world, ada, order_id, came_to)
        paid_with_another_card(world, ada, order_id)
        restore()
        assert world.order(order_id).status is OrderStatus.AWAITING_AUTHENTICATION
        return ada, order_id

    return make


def comes_to_nothing(world: World, ada: Customer, order_id: UUID, came_to: str) -> None:
    [made] = world.intents(ada)
    if came_to == "canceled":
        world.stripe.client().v1.payment_intents.cancel(made["id"])
    else:
        world.authenticate(order_id, "fail")
    world.notify(made["id"], f"payment_intent.{came_to}")


ENDED = ["payment_failed", "canceled"]


@pytest.mark.parametrize("came_to", ENDED)
@pytest.mark.parametrize("minutes", [1, 61], ids=["in time", "once its time is over"])
def test_a_payment_that_came_to_nothing_at_the_bank_does_not_hide_the_charge_that_paid(
    world: World, waits_at_the_bank: Callable[[str], tuple[Customer, UUID]], came_to: str, minutes: int
) -> None:
    ada, order_id = waits_at_the_bank(came_to)
    world.pass_time(minutes=minutes)
    sweep_finds(world, order_id)
    world.go_on(order_id)
    assert paid_once(world, ada, order_id)


@pytest.mark.parametrize("came_to", ENDED)
def test_an_order_cancelled_while_it_waits_for_its_customer_at_the_bank_gives_the_later_charge_back(
    world: World, waits_at_the_bank: Callable[[str], tuple[Customer, UUID]], came_to: str
) -> None:
    ada, order_id = waits_at_the_bank(came_to)
    world.cancel(order_id)
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert world.charged(ada) == world.given_back(ada) == [119_00]
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "succeeded", 119_00)]
    assert verified(world) == []


def test_whoever_is_declined_for_the_first_time_is_not_looked_up(world: World) -> None:
    world.stripe.fail("unavailable", LIST)
    _, order_id = about_to_buy(world, DECLINES)
    assert world.run(order_id).status is OrderStatus.PAYMENT_DECLINED


def test_a_decline_that_is_repeated_stays_one_where_nothing_paid_since(world: World, backed_up: BackUp) -> None:
    ada, order_id = about_to_buy(world, DECLINES)
    restore = backed_up()
    world.run(order_id)
    restore()
    assert world.go_on(order_id).status is OrderStatus.PAYMENT_DECLINED
    assert (world.attempts(order_id), world.charged(ada)) == ([(1, "declined", 119_00)], [])


def test_an_order_waits_until_the_charge_that_paid_it_can_be_looked_up(world: World, backed_up: BackUp) -> None:
    ada, order_id = about_to_buy(world, DECLINES)
    restore = backed_up()
    paid_with_another_card(world, ada, order_id)
    restore()
    world.stripe.fail("unavailable", LIST)
    assert world.go_on(order_id).status is OrderStatus.OPEN
    assert world.attempts(order_id) == [(1, "pending", 119_00)]
    world.stripe.calm()
    world.go_on(order_id)
    assert paid_once(world, ada, order_id)


@pytest.mark.parametrize("place", ["claimed 1", "claimed 2", "calling 1", "calling 2", "called 1", "recorded 1"])
def test_a_worker_that_dies_on_the_way_leaves_the_order_paid_once(world: World, backed_up: BackUp, place: str) -> None:
    ada, order_id = about_to_buy(world, DECLINES)
    restore = backed_up()
    paid_with_another_card(world, ada, order_id)
    restore()
    point, nth = place.split()
    with dying_at(f"collect_payment.{point}", nth=int(nth)):
        world.go_on(order_id)
    world.go_on(order_id)
    assert paid_once(world, ada, order_id)
