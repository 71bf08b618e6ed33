"""What a person wants to record as given back by other means, while our own refund of it is under way: both would go back."""

from uuid import UUID

import pytest
from sqlalchemy import update

from models.messages import WebhookReceived
from models.payments import RefundAttempt
from tasks.charges import charge_news, webhooks
from tasks.errors import OutcomeUnknown, RefundRefused
from tasks.operating import unexpected_refunds
from tasks.operating.order_at_hand import NotPossible
from tasks.refunds import refunding
from tests.support.books import verified
from tests.support.messages import eventually
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
    unexpected_refunds.settle(*given_up, by="ops", why="transfer")


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
    assert verified(world) == []


def test_nothing_is_recorded_while_stripe_may_still_make_the_refund(
    world: World, made_in_vain: tuple[UUID, str]
) -> None:
    order_id, late = made_in_vain
    world.stripe.fail("server_error_before_effect", REFUND, times=1, seconds=3)
    again(world)
    assert [status for status, _ in world.refunds(order_id)] == ["failed", "pending"]
    with pytest.raises(NotPossible, match="is under way: do not pay"):
        record(made_in_vain)
    eventually(lambda: bool(world.refunds_at_provider(late)), within=60)
    again(world)
    assert [status for status, _ in world.refunds(order_id)] == ["failed", "succeeded"]
    assert world.refunds_at_provider(late) == ["succeeded"]
    assert verified(world) == []


@pytest.fixture
def refused(world: World) -> tuple[UUID, str]:
    """The same, whose refund was refused as a part had gone back in the Dashboard, which has failed since: another attempt is due."""
    ada = world.customer(card="pm_card_refundFail")
    order_id, late = given_up_and_paid_late(world, ada)
    world.give_card(ada)
    world.run(order_id)
    world.stripe.client().v1.refunds.create({"payment_intent": late, "amount": 50_00})
    world.notify(late, "charge.refunded")
    assert world.timeline(order_id).count("refund.refused") == 1
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(late) == ["failed"])
    again(world)
    assert world.refunds(order_id) == [("failed", 119_00)]
    return order_id, late


def test_nothing_is_recorded_while_stripe_may_make_a_refund_that_it_had_refused_before(
    world: World, refused: tuple[UUID, str]
) -> None:
    order_id, late = refused
    world.stripe.fail("server_error_before_effect", REFUND, times=1, seconds=3)
    again(world)
    with pytest.raises(NotPossible, match="is under way: do not pay"):
        record(refused)
    eventually(lambda: "succeeded" in world.refunds_at_provider(late), within=60)
    again(world)
    assert world.refunds(order_id) == [("failed", 119_00), ("succeeded", 119_00)]
    assert sorted(world.refunds_at_provider(late)) == ["failed", "succeeded"]


def test_a_newer_request_of_a_refused_refund_is_under_way_also_once_the_refusal_is_recorded(
    world: World, made_in_vain: tuple[UUID, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def refuse(*_: object, **__: str) -> None:
        raise RefundRefused("refused")

    def refuse_the_first(*_: object, **__: str) -> None:
        world.pass_time(seconds=1)
        if told:
            raise OutcomeUnknown("the second may still be granted")
        told.append("the second begins before the answer to the first is recorded")
        with pytest.raises(OutcomeUnknown):
            charge_news.handle(made_in_vain[1])
        refuse()

    world.pass_time(seconds=70)
    monkeypatch.setattr(refunding, "request_refund", refuse_the_first)
    with pytest.raises(RefundRefused):
        charge_news.handle(made_in_vain[1])
    with pytest.raises(NotPossible, match="is under way: do not pay"):
        record(made_in_vain)
    monkeypatch.setattr(refunding, "request_refund", refuse)
    with pytest.raises(RefundRefused):
        charge_news.handle(made_in_vain[1])
    record(made_in_vain)
