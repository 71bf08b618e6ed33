"""VAT that turns out not to be due, of a charge that the customer's bank has taken back: the customer gets it once, from the bank or from us."""

from models.accounts import VatCheck
from models.orders import OrderEvent
from models.vat_follow_ups import FollowUpOutcome
from tasks.policy import VatOutage
from tests.steps.test_changes_of_disputed_periods import happens
from tests.steps.test_disputed_charges import charge_of
from tests.support.places import at
from tests.support.vat_outage import NUMBER, ask_again, during_outage, follow_up, nothing_differs
from tests.support.world import World

DAY = 24 * 60


def test_vat_that_the_bank_has_is_not_credited_until_the_dispute_was_won(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    charge = charge_of(world, order.id)
    happens(world, charge, "needs_response")
    for minutes in (6, 20):
        assert ask_again(world, minutes=minutes) == 1
        assert (world.balance(eva), follow_up(world, order).outcome) == (0, None)
    assert len(world.rows(OrderEvent, order_id=order.id, kind="vat.credit_withheld")) == 1
    happens(world, charge, "won")
    assert ask_again(world, minutes=DAY) == 1
    assert (world.balance(eva), follow_up(world, order).outcome) == (20_00, FollowUpOutcome.VAT_CREDITED)
    assert nothing_differs(world)


def test_the_answer_that_came_during_the_dispute_counts_once_it_was_won(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    charge = charge_of(world, order.id)
    happens(world, charge, "needs_response")
    ask_again(world)
    [valid] = world.rows(VatCheck, status="valid")
    happens(world, charge, "won")
    world.vies.register(NUMBER, status="invalid")
    ask_again(world, minutes=80 * DAY)
    row = follow_up(world, order)
    assert (world.balance(eva), row.outcome, row.vat_check_id) == (20_00, FollowUpOutcome.VAT_CREDITED, valid.id)


def test_as_long_as_vat_is_withheld_the_registry_is_not_asked_again(world: World) -> None:
    _, order = during_outage(world, VatOutage.CHARGE_VAT)
    happens(world, charge_of(world, order.id), "needs_response")
    ask_again(world)
    world.vies.fail("MS_UNAVAILABLE")
    for _ in range(3):
        assert ask_again(world, minutes=DAY) == 1
    assert [check.status for check in world.rows(VatCheck) if check.asked_at > order.as_of] == ["valid"]


def test_an_answer_that_comes_after_the_one_that_is_kept_is_not_acted_on(world: World) -> None:
    eva, order = during_outage(world, VatOutage.CHARGE_VAT)
    charge = charge_of(world, order.id)
    happens(world, charge, "needs_response")
    world.vies.register(NUMBER, status="invalid")

    def another_worker_has_heard_that_it_is_valid() -> None:
        world.vies.register(NUMBER, status="valid")
        ask_again(world, minutes=20)

    with at("vat_follow_up.answered", another_worker_has_heard_that_it_is_valid):
        ask_again(world)
    assert (follow_up(world, order).outcome, world.balance(eva)) == (None, 0)
    happens(world, charge, "won")
    ask_again(world, minutes=DAY)
    assert (follow_up(world, order).outcome, world.balance(eva)) == (FollowUpOutcome.VAT_CREDITED, 20_00)
