"""What a person wants to record as given back by other means, while our own refund of it is under way: both would go back."""

from uuid import UUID

import pytest
from sqlalchemy import update

from models.messages import WebhookReceived
from models.payments import RefundAttempt
from tasks.charges import webhooks
from tasks.ledger_check.verify import verify
from tasks.operating import outside_refunds
from tasks.operating.resumption import NotPossible
from tasks.refunds import refunding
from tests.support.payment import REFUND, given_up_and_paid_late
from tests.support.world import World


def again(world: World) -> None:
    """The notification that brought the unexpected charge is handled once more."""
    world.pass_time(seconds=70)
    with world.begin() as session:
        waiting = update(WebhookReceived).where(WebhookReceived.handled_at.is_(None))
        session.execute(waiting.values(next_attempt_at=None))
    webhooks.handle_webhooks()


@pytest.fixture
def given_up(world: World) -> tuple[UUID, str]:
    """An order and its unexpected charge, whose first refund was given up and never made: Stripe keeps a 500 under its key."""
    order_id, late = given_up_and_paid_late(world, world.customer())
    world.run(order_id)
    world.stripe.fail("server_error_before_effect", REFUND, times=1)
    world.notify(late)
    again(world)
    assert [status for status, _ in world.refunds(order_id)] == ["failed"]
    return order_id, late


@pytest.fixture
def made_in_vain(world: World, given_up: tuple[UUID, str]) -> tuple[UUID, str]:
    """The same, as if the provider had made that refund, and it had failed."""
    with world.begin() as session:
        session.execute(update(RefundAttempt).where(RefundAttempt.order_id == given_up[0]).values(ref="re_failed"))
    return given_up


def record(given_up: tuple[UUID, str]) -> None:
    outside_refunds.settle_unexpected(*given_up, by="ops", why="transfer")


def test_a_refund_that_was_never_made_is_none_that_failed(given_up: tuple[UUID, str]) -> None:
    with pytest.raises(NotPossible, match="goes back by itself: no refund of it has failed or was refused"):
        record(given_up)


def test_nothing_is_recorded_between_the_key_and_the_request(
    world: World, made_in_vain: tuple[UUID, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id, late = made_in_vain
    ask = refunding.request_refund
    refused: list[NotPossible] = []

    def after_the_operator(attempt: RefundAttempt, *, charge_ref: str) -> refunding.Answer:
        with pytest.raises(NotPossible, match="is under way: do not pay") as why:
            record(made_in_vain)
        refused.append(why.value)
        return ask(attempt, charge_ref=charge_ref)

    monkeypatch.setattr(refunding, "request_refund", after_the_operator)
    again(world)
    assert len(refused) == 1
    assert [status for status, _ in world.refunds(order_id)] == ["failed", "succeeded"]
    assert world.refunds_at_provider(late) == ["succeeded"]
    assert differences(world) == []


def test_nothing_is_recorded_while_stripe_may_still_make_the_refund(
    world: World, made_in_vain: tuple[UUID, str]
) -> None:
    order_id, late = made_in_vain
    world.stripe.fail("server_error_before_effect", REFUND, times=1, seconds=3)
    again(world)
    assert [status for status, _ in world.refunds(order_id)] == ["failed", "pending"]
    with pytest.raises(NotPossible, match="is under way: do not pay"):
        record(made_in_vain)
    world.stripe.eventually(lambda: bool(world.refunds_at_provider(late)), within=60)
    again(world)
    assert [status for status, _ in world.refunds(order_id)] == ["failed", "succeeded"]
    assert world.refunds_at_provider(late) == ["succeeded"]
    assert differences(world) == []


def differences(world: World) -> list[str]:
    with world.begin() as session:
        return [str(each) for each in verify(session)]
