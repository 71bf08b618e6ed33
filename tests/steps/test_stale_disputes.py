"""What was read of a charge's disputes before the order was locked, and is older than what another has noted meanwhile: nobody acts on it."""

from collections.abc import Callable, Sequence
from uuid import UUID

import pytest

from models.states import OrderStatus
from tasks.charges import charge_news, unexpected_money
from tasks.charges.charge_news import NotRecordedYet
from tasks.errors import StepAgain
from tasks.operating import outside_records, outside_refunds, unexpected_refunds
from tasks.operating.order_at_hand import NotPossible
from tasks.ports import Dispute, PaymentProvider
from tasks.wiring import payments
from tests.support.backup import BackUp
from tests.support.disputes import bought, dispute, happens, named, noted, turn
from tests.support.payment import given_up_and_paid_late, refund_that_fails
from tests.support.restored import about_to_buy
from tests.support.world import World


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Have something happen once, between the provider's next answer about disputes and what is done with it."""

    def arrange(happens: Callable[[], object]) -> None:
        adapter, waiting = type(payments()), [happens]
        ask = adapter.find_disputes

        def answer_late(self: PaymentProvider, *, charge_ref: str) -> Sequence[Dispute]:
            found = ask(self, charge_ref=charge_ref)
            if waiting:
                waiting.pop()()
            return found

        monkeypatch.setattr(adapter, "find_disputes", answer_late)

    return arrange


def statuses(world: World, order_id: UUID) -> list[str]:
    return [status for _, status, _ in noted(world, order_id)]


def goes_on(world: World, charge: str, *turns: str) -> None:
    """Each turn of the charge's dispute is handled at once."""
    for status in turns:
        turn(world, charge, status)
        charge_news.handle(charge)


def test_an_event_whose_answer_is_older_than_what_is_noted_is_tried_again(
    world: World, between: Callable[[Callable[[], object]], None]
) -> None:
    _, order_id, charge = bought(world)
    dispute(world, charge)
    between(lambda: goes_on(world, charge, "won"))
    with pytest.raises(StepAgain, match="noted meanwhile"):
        charge_news.handle(charge)
    assert statuses(world, order_id) == ["won"]
    charge_news.handle(charge)
    assert (statuses(world, order_id), named(world)) == (["won"], [])


def test_what_is_owed_of_an_unexpected_charge_is_not_told_by_an_older_answer(
    world: World, between: Callable[[Callable[[], object]], None]
) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    dispute(world, late)
    charge_news.handle(late)
    turn(world, late, "won")
    between(lambda: goes_on(world, late, "needs_response", "lost"))
    with pytest.raises(StepAgain, match="noted meanwhile"):
        charge_news.handle(late)
    assert statuses(world, order_id) == ["chargeback", "lost"]
    assert world.noted(order_id, "refund.refused") == []


def test_what_is_owed_is_not_told_once_a_later_turn_is_noted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    dispute(world, late, "won")
    leave, waiting = unexpected_money.leave_to_bank, [lambda: goes_on(world, late, "needs_response", "lost")]

    def leave_late(*given: object, **named: object) -> object:
        if waiting:
            waiting.pop()()
        return leave(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(unexpected_money, "leave_to_bank", leave_late)
    with pytest.raises(StepAgain, match="noted meanwhile"):
        charge_news.handle(late)
    assert statuses(world, order_id) == ["won", "chargeback", "lost"]
    assert world.noted(order_id, "refund.refused") == []


def test_the_charge_that_a_restored_order_finds_has_its_disputes_asked_for_again(
    world: World, backed_up: BackUp, between: Callable[[Callable[[], object]], None]
) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    world.run(order_id)
    charge = world.charge_ref(order_id)
    dispute(world, charge)
    restore()
    world.pass_time(hours=1)

    def won() -> None:
        with pytest.raises(NotRecordedYet):
            goes_on(world, charge, "won")

    between(won)
    assert world.run(order_id).status is OrderStatus.OPEN
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert (world.charged(ada), statuses(world, order_id), named(world)) == ([119_00], ["won"], [])


def settle(order_id: UUID) -> None:
    outside_refunds.settle(order_id, by="Olga", why="goodwill")


def test_nothing_is_recorded_for_a_won_dispute_that_is_contested_meanwhile(
    world: World, between: Callable[[Callable[[], object]], None]
) -> None:
    _, order_id, charge = bought(world)
    happens(world, charge, "needs_response", "won")
    between(lambda: goes_on(world, charge, "needs_response"))
    with pytest.raises(NotPossible, match="has gone on meanwhile: look again"):
        settle(order_id)
    assert (world.order(order_id).status, world.refunds(order_id)) == (OrderStatus.COMPLETED, [])
    assert statuses(world, order_id) == ["chargeback", "won", "chargeback"]


def test_nothing_is_recorded_for_an_order_that_owes_its_refund_while_a_dispute_comes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id, charge = refund_that_fails(world)
    world.notify(charge, "refund.failed")
    decide = outside_records.require_decided

    def decide_before_it_comes(*given: object, **named: object) -> None:
        dispute(world, charge)
        charge_news.handle(charge)
        decide(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(outside_records, "require_decided", decide_before_it_comes)
    with pytest.raises(NotPossible, match="has gone on meanwhile: look again"):
        settle(order_id)
    assert world.refunds(order_id) == [("failed", 119_00)]


def test_nothing_is_recorded_of_an_unexpected_charge_whose_won_dispute_is_contested_meanwhile(
    world: World, between: Callable[[Callable[[], object]], None]
) -> None:
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    happens(world, late, "won")
    between(lambda: goes_on(world, late, "needs_response"))
    with pytest.raises(NotPossible, match="has gone on meanwhile: look again"):
        unexpected_refunds.settle(order_id, late, by="Olga", why="transfer")
    assert world.refunds(order_id) == []
