"""Money that comes after we had given the attempt up goes back, and the order stays as it is."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from models import timeline
from models.messages import WebhookReceived
from models.orders import Order
from models.payments import ChargeAttempt, RefundAttempt
from models.states import OrderStatus, Step
from tasks.charges import charge_news, webhooks
from tasks.charges.news_outcome import NewsOutcome
from tasks.charges.unexpected_money import RefundFailed
from tasks.ledger_check.differences import Check
from tasks.operating import support_refund, unexpected_refunds
from tasks.ports import EventKind, Refund, RefundStatus
from tasks.refunds import refunded, refunding
from tests.support import books
from tests.support.payment import DECLINES, REFUND, given_up_and_paid_late, late_money, spoil_activation, waiting_events
from tests.support.waiting import until_it_waits_for
from tests.support.world import World, purchase, trial


def test_money_on_an_attempt_that_was_given_up_goes_back_and_the_order_stays_as_it_is(world: World) -> None:
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00, 119_00]
    for number in range(3):
        world.notify(late, event_id=f"evt_{order_id}_{number // 2}")
    assert world.given_back(ada) == [119_00]
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "succeeded", 119_00)]
    [given_up] = world.rows(ChargeAttempt, order_id=order_id, attempt=1)
    assert (given_up.ref, given_up.settled_at) == (late, world.time)
    assert world.refunds(order_id) == [("succeeded", 119_00)]


def test_unexpected_money_goes_back_as_it_came_whatever_sum_its_attempt_was_of(world: World) -> None:
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    world.run(order_id)
    with world.begin() as session:
        session.get_one(ChargeAttempt, (order_id, 1)).amount_minor = 118_00
    world.notify(late)
    assert (world.given_back(ada), world.refunds(order_id)) == ([119_00], [("succeeded", 119_00)])


def test_unexpected_money_that_is_told_twice_at_the_same_moment_goes_back_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By two workers: one is told while the other has just seen that nothing went back yet."""
    ada = world.customer()
    order_id, late = given_up_and_paid_late(world, ada)
    world.run(order_id)
    is_refunded = refunded.is_refunded
    others: list[Future[NewsOutcome]] = []

    def see(session: Session, charge: ChargeAttempt) -> bool:
        seen = is_refunded(session, charge)
        if not others:
            others.append(another.submit(charge_news.handle, late))
            until_it_waits_for(session, others[0])
        return seen

    monkeypatch.setattr(refunded, "is_refunded", see)
    with ThreadPoolExecutor(1) as another:
        assert charge_news.handle(late) is NewsOutcome.UNEXPECTED_AND_REFUNDED
    assert others[0].result() in (NewsOutcome.UNEXPECTED_AND_REFUNDED, NewsOutcome.UNEXPECTED_AND_REFUNDED_BEFORE)
    assert (world.given_back(ada), world.refunds(order_id)) == ([119_00], [("succeeded", 119_00)])
    told = world.timeline(order_id)
    assert (told.count("charge.unexpected"), told.count("refund.attempted")) == (1, 1)


def test_unexpected_money_goes_back_although_the_first_answer_is_lost(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    late = late_money(world, order_id)
    world.stripe.fail("answer_lost", REFUND)
    world.stripe.fail("unavailable", "refunds.list")
    world.notify(late)
    assert world.refunds(order_id) == [("pending", 119_00)]
    world.stripe.calm()
    world.pass_time(seconds=10)
    webhooks.handle_webhooks()
    assert (world.refunds(order_id), world.given_back(ada)) == ([("succeeded", 119_00)], [119_00])


def test_an_order_that_is_refunded_although_money_came_twice_gives_both_back(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase("desk"), trial("chat"))
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    late = late_money(world, order_id)
    with world.begin() as session:
        session.execute(update(Order).where(Order.id == order_id).values(next_step=Step.COLLECT_PAYMENT))
    world.notify(late)
    spoil_activation(world, ada, order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert world.given_back(ada) == [119_00, 119_00]
    assert world.refunds(order_id) == [("succeeded", 119_00), ("succeeded", 119_00)]
    with world.begin() as session:
        assert refunded.refunded_minor(session, order_id) == 119_00, (
            "the letter names what the order itself was charged"
        )


def test_money_that_comes_on_a_declined_charge_goes_back_and_the_attempt_stays_declined(world: World) -> None:
    """Somebody tried it once more at the provider, with another card; the order's own card is declined as before."""
    ada = world.customer(card=DECLINES)
    order = world.buy(ada, purchase())
    ref = world.charge_ref(order.id)
    world.stripe.client().v1.payment_intents.confirm(ref, {"payment_method": "pm_card_visa"})
    world.notify(ref)
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [119_00])
    assert world.attempts(order.id) == [(1, "declined", 119_00)]
    assert world.order(order.id).status is OrderStatus.PAYMENT_DECLINED


def money_twice(world: World, card: str) -> tuple[UUID, str]:
    """An order that is completed and paid by another card, and the charge of an attempt with `card` that had been given up."""
    ada = world.customer(card=card)
    order_id, late = given_up_and_paid_late(world, ada)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    return order_id, late


def wrong_refunds(world: World) -> list[str]:
    return [difference.found for difference in books.differences(world) if difference.check is Check.REFUND]


def comes_back(world: World, late: str, times: int) -> None:
    """A refund of the charge fails, days after the provider has accepted it."""
    world.pass_time(days=5)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(late) == ["failed"] * times)


def test_unexpected_money_whose_refund_fails_later_goes_back_once_more_and_is_then_for_a_person(world: World) -> None:
    order_id, late = money_twice(world, "pm_card_refundFail")
    world.notify(late)
    comes_back(world, late, 1)
    for kind in ("refund.failed", "charge.refund.updated"):
        world.notify(late, kind)
    assert (world.refunds(order_id), wrong_refunds(world)) == ([("failed", 119_00)], ["0"])
    assert len(waiting_events(world)) == 2
    world.pass_time(seconds=10)
    webhooks.handle_webhooks()
    assert sorted(world.refunds(order_id)) == [("failed", 119_00), ("succeeded", 119_00)]
    comes_back(world, late, 2)
    for kind in ("refund.failed", "charge.refund.updated"):
        world.notify(late, kind)
    world.pass_time(days=1)
    webhooks.handle_webhooks()
    assert (world.refunds(order_id), wrong_refunds(world)) == ([("failed", 119_00)] * 2, ["0"])
    assert waiting_events(world) == {}
    [refused] = world.noted(order_id, "refund.refused")
    assert refused == {
        "charge": late,
        "error": f"2 refunds of unexpected charge {late} failed, and no other is made: give it back by other means",
    }
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert world.timeline(order_id).count("refund.failed") == 2


@pytest.mark.parametrize("failures", [1, 2])
def test_unexpected_money_whose_refund_failed_is_recorded_as_given_back_whenever_a_person_does_so(
    world: World, failures: int
) -> None:
    order_id, late = money_twice(world, "pm_card_refundFail")
    for times in range(1, failures + 1):
        world.notify(late)
        comes_back(world, late, times)
        world.notify(late, "refund.failed")
        if times < failures:
            world.pass_time(seconds=10)
    unexpected_refunds.settle(order_id, late, by="Olga", why="transfer")
    world.pass_time(days=1)
    webhooks.handle_webhooks()
    assert sorted(world.refunds(order_id)) == [("failed", 119_00)] * failures + [("succeeded", 119_00)]
    assert (world.refunds_at_provider(late), wrong_refunds(world)) == (["failed"] * failures, [])


def test_unexpected_money_that_a_person_refunds_in_the_dashboard_after_two_failures_is_recorded(world: World) -> None:
    order_id, late = money_twice(world, "pm_card_refundFail")
    for times in (1, 2):
        world.notify(late)
        comes_back(world, late, times)
        world.notify(late, "refund.failed")
        world.pass_time(seconds=10)
    world.stripe.client().v1.refunds.create({"payment_intent": late})
    world.notify(late, "charge.refunded")
    assert sorted(world.refunds(order_id)) == [("failed", 119_00)] * 2 + [("succeeded", 119_00)]
    assert wrong_refunds(world) == []


def test_the_next_refund_of_unexpected_money_waits_from_when_the_one_before_is_known_to_have_failed(
    world: World,
) -> None:
    order_id, late = money_twice(world, "pm_card_refundFail")
    assert charge_news.handle(late) is NewsOutcome.UNEXPECTED_AND_REFUNDED
    comes_back(world, late, 1)
    with pytest.raises(RefundFailed):
        charge_news.handle(late, kind=EventKind.REFUND)
    world.pass_time(seconds=9)
    with pytest.raises(RefundFailed):
        charge_news.handle(late)
    world.pass_time(seconds=1)
    assert charge_news.handle(late) is NewsOutcome.UNEXPECTED_AND_REFUNDED
    assert sorted(world.refunds(order_id)) == [("failed", 119_00), ("succeeded", 119_00)]


def test_events_that_wait_for_the_next_refund_of_unexpected_money_are_no_errors_and_wait_ever_longer(
    world: World,
) -> None:
    _, late = money_twice(world, "pm_card_refundFail")
    charge_news.handle(late)
    comes_back(world, late, 1)
    with capture_logs() as logged:
        world.notify(late, "refund.failed", event_id="evt_first")
        world.receive(late, "charge.refund.updated", event_id="evt_tried")
        with world.begin() as session:
            session.execute(update(WebhookReceived).where(WebhookReceived.id == "evt_tried").values(attempts=3))
        assert webhooks.handle_webhooks() == 0
    why = "a refund of unexpected money failed; the next one is not due yet"
    assert [entry for entry in logged if entry["event"].startswith("webhook")] == [
        {"event": "webhook waits", "log_level": "warning", "event_id": "evt_first", "error": why},
        {"event": "webhook waits", "log_level": "warning", "event_id": "evt_tried", "error": why},
    ]
    assert waiting_events(world) == {"evt_first": (1, 10.0), "evt_tried": (4, 80.0)}


def test_a_refund_of_unexpected_money_that_fails_later_calls_no_refunded_order_back(world: World) -> None:
    ada = world.customer(card="pm_card_refundFail")
    order_id, late = given_up_and_paid_late(world, ada)
    world.give_card(ada)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    world.notify(late)
    with world.begin() as session:
        support_refund.refund(session, order_id, by="ops", why="asked by phone", now=world.time)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(late) == ["failed"])
    world.notify(late, "refund.failed")
    assert world.order(order_id).status is OrderStatus.REFUNDED
    rows = world.rows(RefundAttempt, order_id=order_id)
    assert {row.charge_attempt: row.status.value for row in rows} == {1: "failed", 2: "succeeded"}


def test_that_a_refund_failed_comes_after_what_is_noted_by_who_has_the_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or those who follow the order would have gone beyond it when it became visible."""
    order_id, late = money_twice(world, "pm_card_visa")
    asked, answered = threading.Event(), threading.Event()

    def refuse(refund: RefundAttempt, **_: str) -> refunding.Answer:
        asked.set()
        assert answered.wait(60)
        amount, why = refund.amount_minor, "expired_or_canceled_card"
        failed = Refund("re_1", RefundStatus.FAILED, amount, refund.currency, why, attempt=refund.attempt)
        return refunding.Answer([failed])

    monkeypatch.setattr(refunding, "request_refund", refuse)
    with ThreadPoolExecutor(1) as another:
        telling = another.submit(world.notify, late)
        assert asked.wait(60)
        with world.begin() as session:
            session.execute(select(Order.id).where(Order.id == order_id).with_for_update())
            answered.set()
            until_it_waits_for(session, telling)
            timeline.note(session, order_id, "noted.meanwhile")
        telling.result()
    assert world.timeline(order_id)[-2:] == ["noted.meanwhile", "refund.failed"]


def test_unexpected_money_that_the_provider_will_not_refund_now_is_not_forgotten(world: World) -> None:
    order_id, late = money_twice(world, "pm_card_visa")
    client = world.stripe.client().v1
    client.refunds.create({"payment_intent": late, "amount": 19_00})
    world.notify(late)
    assert (wrong_refunds(world), len(waiting_events(world))) == (["0"], 1)
    client.refunds.create({"payment_intent": late, "amount": 100_00})
    world.pass_time(seconds=10)
    assert webhooks.handle_webhooks() == 1
    assert (world.refunds(order_id), wrong_refunds(world), waiting_events(world)) == ([("succeeded", 119_00)], [], {})


def test_a_refund_by_hand_that_failed_earlier_does_not_send_unexpected_money_back_again(world: World) -> None:
    order_id, late = money_twice(world, "pm_card_refundFail")
    refunds = world.stripe.client().v1.refunds
    refunds.create({"payment_intent": late, "amount": 19_00})
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(late) == ["failed"])
    for part in (19_00, 100_00):
        refunds.create({"payment_intent": late, "amount": part})
    for kind in ("charge.refunded", "refund.failed", "refund.updated"):
        world.notify(late, kind)
        assert (world.refunds(order_id), wrong_refunds(world), waiting_events(world)) == (
            [("succeeded", 119_00)],
            [],
            {},
        )
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(late) == ["failed"] * 3)
    world.notify(late, "refund.failed")
    assert (world.refunds(order_id), wrong_refunds(world)) == ([("failed", 119_00)], ["0"])
    world.pass_time(seconds=3600)
    webhooks.handle_webhooks()
    assert sorted(world.refunds(order_id)) == [("failed", 119_00), ("succeeded", 119_00)]


def made_again(world: World, charge_ref: str, *, confirm: bool) -> str:
    """Another charge for the same attempt."""
    intents = world.stripe.client().v1.payment_intents
    first = intents.retrieve(charge_ref)
    second = intents.create(
        {
            "amount": first.amount,
            "currency": first.currency,
            "customer": str(first.customer),
            "payment_method": str(first.payment_method),
            "allowed_payment_method_types": ["card"],
            "confirm": confirm,
            "metadata": first.metadata.to_dict(),
        }
    )
    return str(second.id)


def test_a_second_charge_of_an_attempt_goes_back_and_the_order_keeps_its_own(world: World) -> None:
    """As a request makes it that reaches the provider after it has forgotten the key."""
    ada = world.customer()
    order = world.buy(ada, purchase())
    own = world.charge_ref(order.id)
    second = made_again(world, str(own), confirm=True)
    for _ in range(2):
        world.notify(second)
    world.notify(str(own), "charge.refunded")
    assert (world.charged(ada), world.given_back(ada)) == ([119_00, 119_00], [119_00])
    assert world.attempts(order.id) == [(1, "succeeded", 119_00), (2, "void", 119_00)]
    assert waiting_events(world) == {}
    assert [(each.charge_attempt, each.status.value) for each in world.rows(RefundAttempt)] == [(2, "succeeded")]
    assert world.order(order.id).status is OrderStatus.COMPLETED
    assert "charge.unexpected" in world.timeline(order.id)
    assert books.differences(world) == []


def test_a_second_charge_of_an_attempt_that_takes_no_money_is_nothing_to_its_order(world: World) -> None:
    order = world.buy(world.customer(), purchase())
    [own] = world.rows(ChargeAttempt, order_id=order.id)
    world.notify(made_again(world, str(own.ref), confirm=False))
    assert waiting_events(world) == {}
    assert world.attempts(order.id) == [(1, "succeeded", 119_00)]
    assert "charge.unexpected" not in world.timeline(order.id)
