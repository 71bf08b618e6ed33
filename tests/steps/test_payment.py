"""One charge of the quoted amount, whatever the card, the bank or the line does; and the same on the way back."""

from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from models.messages import WebhookReceived
from models.orders import Order, OrderEvent
from models.payments import ChargeAttempt, RefundAttempt
from models.states import AttemptStatus, OrderStatus, Step
from models.subscriptions import Subscription, Trial
from tasks import failure_points, operations, sweep, webhooks
from tasks.errors import Misconfigured
from tasks.ledger_check.differences import Check
from tasks.ledger_check.verify import verify
from tests.support.world import Customer, World, purchase, trial

CREATE, REFUND = "payment_intents.create", "refunds.create"
DECLINES, ASKS_BANK = "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"


def spoil_activation(world: World, customer: Customer, order_id: UUID) -> None:
    """What was bought can no longer be given once it is charged."""
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    with world.begin() as session:
        session.add(
            Trial(account_id=customer.account_id, product_code="chat", order_id=order_id, started_at=world.time)
        )


def refundable(world: World, card: str = "pm_card_visa") -> tuple[Customer, UUID]:
    """A charged order that cannot be activated."""
    ada = world.customer(card=card)
    order_id = world.place(ada, purchase("desk"), trial("chat"))
    spoil_activation(world, ada, order_id)
    return ada, order_id


def refund_by_hand(world: World, order_id: UUID, amount: int) -> None:
    """In the provider's Dashboard."""
    charge = world.rows(ChargeAttempt, order_id=order_id)[0].ref
    world.stripe.client().v1.refunds.create({"payment_intent": charge, "amount": amount})


# Declined


def test_a_declined_card_leaves_the_order_waiting_with_the_banks_code(world: World) -> None:
    ada = world.customer(card=DECLINES)
    order = world.buy(ada, purchase())
    assert (order.status, order.reason) == (OrderStatus.PAYMENT_DECLINED, "payment-declined")
    assert order.reason_facts == {"decline_code": "generic_decline", "attempt": 1}
    assert (world.charged(ada), world.mails(ada)) == ([], [])


def test_another_card_is_another_attempt_with_another_key(world: World) -> None:
    ada = world.customer(card=DECLINES)
    order_id = world.buy(ada, purchase()).id
    world.give_card(ada)
    world.pay_again(order_id)
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.attempts(order_id) == [(1, "declined", 119_00), (2, "succeeded", 119_00)]
    keys = {row.attempt: row.key for row in world.rows(ChargeAttempt, order_id=order_id)}
    assert keys == {1: f"order:{order_id}:charge:1", 2: f"order:{order_id}:charge:2"}
    assert world.charged(ada) == [119_00]


def test_paying_again_without_another_card_asks_for_one(world: World) -> None:
    ada = world.customer(card=DECLINES)
    order_id = world.buy(ada, purchase()).id
    world.pay_again(order_id)
    assert world.run(order_id).status is OrderStatus.AWAITING_PAYMENT_DETAILS
    assert world.attempts(order_id) == [(1, "declined", 119_00)]


# 3-D Secure


def test_an_authenticated_payment_goes_on_when_the_webhook_comes(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    assert order.status is OrderStatus.AWAITING_AUTHENTICATION
    world.authenticate(order.id)
    world.notify(world.rows(ChargeAttempt, order_id=order.id)[0].ref)
    assert world.run(order.id).status is OrderStatus.COMPLETED
    assert (world.attempts(order.id), world.charged(ada)) == ([(1, "succeeded", 119_00)], [119_00])


def test_an_authenticated_payment_goes_on_without_any_webhook(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    world.authenticate(order.id)
    world.let_waits_run_out(order.id)
    sweep.sweep()
    assert world.run(order.id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


def test_a_payment_that_fails_authentication_is_declined_and_another_card_pays(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    world.authenticate(order.id, "fail")
    world.notify(world.rows(ChargeAttempt, order_id=order.id)[0].ref, "payment_intent.payment_failed")
    assert world.run(order.id).status is OrderStatus.PAYMENT_DECLINED
    world.give_card(ada)
    world.pay_again(order.id)
    assert world.run(order.id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


def sweep_finds(world: World, order_id: UUID) -> Order:
    world.let_waits_run_out(order_id)
    sweep.sweep()
    return world.run(order_id)


@pytest.mark.parametrize(("minutes", "seconds"), [(0, 20), (40, 600), (56, 240)])
def test_an_abandoned_authentication_is_asked_about_less_and_less_until_its_time_is_over(
    world: World, minutes: int, seconds: int
) -> None:
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    world.pass_time(minutes=minutes)
    assert sweep_finds(world, order.id).status is OrderStatus.AWAITING_AUTHENTICATION
    assert seconds - 10 < world.wakes_in(order.id) <= seconds


def test_an_authentication_has_an_hour_and_then_nobody_can_pay_for_what_has_passed(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    page = (order.reason_facts or {})["action_url"]
    world.pass_time(minutes=59, seconds=59)
    assert sweep_finds(world, order.id).status is OrderStatus.AWAITING_AUTHENTICATION
    world.pass_time(seconds=1)
    order = sweep_finds(world, order.id)
    assert (order.status, order.reason) == (OrderStatus.CANCELLED, "customer-did-not-answer")
    httpx.post(page, data={"outcome": "succeed"}, timeout=20)
    assert (world.attempts(order.id), world.charged(ada)) == ([(1, "canceled", 119_00)], [])


def test_who_authenticated_in_time_is_not_cancelled_because_nobody_told_us(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    world.authenticate(order.id)
    world.pass_time(hours=3)
    assert sweep_finds(world, order.id).status is OrderStatus.COMPLETED
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [])


def test_an_authentication_has_its_hour_however_late_we_could_ask_for_it(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    world.stripe.fail("unavailable", CREATE)
    order_id = world.buy(ada, purchase()).id
    world.stripe.calm()
    world.pass_time(hours=3)
    assert world.go_on(order_id).status is OrderStatus.AWAITING_AUTHENTICATION
    assert sweep_finds(world, order_id).status is OrderStatus.AWAITING_AUTHENTICATION
    world.authenticate(order_id)
    assert sweep_finds(world, order_id).status is OrderStatus.COMPLETED


def test_a_card_that_fails_authentication_at_the_last_moment_can_be_replaced(world: World) -> None:
    order_id = world.buy(world.customer(card=ASKS_BANK), purchase()).id
    world.authenticate(order_id, "fail")
    world.pass_time(hours=1)
    assert sweep_finds(world, order_id).status is OrderStatus.PAYMENT_DECLINED


@pytest.mark.parametrize(
    ("late", "status"),
    [(timedelta(days=1), OrderStatus.COMPLETED), (timedelta(days=1, seconds=1), OrderStatus.REFUNDED)],
    ids=str,
)
def test_an_authentication_that_we_hear_of_days_later_does_not_pay_for_those_days(
    world: World, late: timedelta, status: OrderStatus
) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    world.time += timedelta(hours=1) + late
    world.authenticate(order.id)
    world.notify(world.rows(ChargeAttempt, order_id=order.id)[0].ref)
    order = world.run(order.id)
    assert (order.status, world.charged(ada)) == (status, [119_00])
    told = ([119_00], "customer-did-not-answer", ["refund_notice"])
    if status is OrderStatus.REFUNDED:
        assert (world.given_back(ada), order.reason, world.letters(order.id)) == told


def test_whoever_reads_the_timeline_cannot_authenticate_the_payment(world: World) -> None:
    order = world.buy(world.customer(card=ASKS_BANK), purchase())
    facts = [row.facts for row in world.rows(OrderEvent, order_id=order.id)]
    assert "action_url" in (order.reason_facts or {})
    assert "authenticate" not in str(facts)


# Ambiguous and failing


@pytest.mark.parametrize(
    ("kind", "limits"),
    [
        ("rate_limit", {"times": 2}),
        ("unavailable", {"times": 2}),
        ("connection_reset", {"times": 2}),
        ("answer_lost", {"times": 2}),
        ("server_error", {"times": 1}),
        ("server_error_after_effect", {"times": 1}),
        ("rate_limit", {"times": 30}),
        ("answer_lost", {"times": 30}),
        ("connection_reset", {"times": 30}),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value["times"]),
)
def test_whatever_the_line_does_the_quoted_amount_is_charged_once(
    world: World, kind: str, limits: dict[str, int]
) -> None:
    ada = world.customer()
    world.stripe.fail(kind, CREATE, **limits)
    order_id = world.place(ada, purchase())
    world.run(order_id)
    world.stripe.calm()
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


def test_an_answer_lost_together_with_all_later_ones_is_found_under_its_key(world: World) -> None:
    ada = world.customer()
    world.stripe.fail("answer_lost", CREATE)
    world.stripe.fail("unavailable", "payment_intents.list")
    order = world.run(world.place(ada, purchase()))
    assert (order.status, order.next_step, world.charged(ada)) == ("open", "collect_payment", [119_00])
    world.stripe.calm()
    assert world.go_on(order.id).status is OrderStatus.COMPLETED
    assert (world.attempts(order.id), world.charged(ada)) == ([(1, "succeeded", 119_00)], [119_00])


def test_a_charge_that_hangs_past_the_time_limit_is_taken_once(world: World) -> None:
    ada = world.customer()
    world.stripe.fail("hang", CREATE, times=1, seconds=2.4)
    order_id = world.place(ada, purchase())
    world.run(order_id)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00]


def test_a_500_kept_under_the_key_is_looked_up_and_another_attempt_made_only_where_nothing_was_charged(
    world: World,
) -> None:
    ada = world.customer()
    world.stripe.fail("server_error", CREATE, times=1)
    order_id = world.place(ada, purchase())
    world.run(order_id)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "succeeded", 119_00)]
    assert world.charged(ada) == [119_00]


@pytest.mark.parametrize(("taken", "attempts"), [(True, ["succeeded"]), (False, ["void", "succeeded"])])
def test_a_charge_whose_key_has_expired_is_looked_up_before_another_is_made(
    world: World, taken: bool, attempts: list[str]
) -> None:
    ada = world.customer()
    world.stripe.fail("answer_lost" if taken else "connection_reset", CREATE)
    world.stripe.fail("unavailable", "payment_intents.list")
    order_id = world.run(world.place(ada, purchase())).id
    world.stripe.calm()
    world.stripe.expire_keys()
    world.pass_time(hours=24)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert [status for _, status, _ in world.attempts(order_id)] == attempts
    assert world.charged(ada) == [119_00]


# The way back


def test_what_cannot_be_activated_is_given_back_and_the_customer_told(world: World) -> None:
    ada, order_id = refundable(world)
    order = world.run(order_id)
    assert (order.status, order.reason) == (OrderStatus.REFUNDED, "trial-used")
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [119_00])
    [refund] = world.rows(RefundAttempt, order_id=order_id)
    assert (refund.key, refund.charge_attempt) == (f"order:{order_id}:refund:1", 1)
    assert world.letters(order_id) == ["refund_notice"]
    assert world.rows(Subscription, account_id=ada.account_id) == []


def test_a_refunded_order_gives_its_balance_back_too(world: World) -> None:
    ada = world.customer()
    world.grant(ada, 19_00)
    order_id = world.place(ada, purchase("desk"), trial("chat"))
    spoil_activation(world, ada, order_id)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert (world.charged(ada), world.given_back(ada), world.balance(ada)) == ([100_00], [100_00], 19_00)


@pytest.mark.parametrize(
    ("kind", "times", "refunds"),
    [
        ("rate_limit", 30, [("succeeded", 119_00)]),
        ("answer_lost", 30, [("succeeded", 119_00)]),
        ("connection_reset", 30, [("succeeded", 119_00)]),
        ("server_error", 1, [("failed", 119_00), ("succeeded", 119_00)]),
        ("server_error_after_effect", 1, [("succeeded", 119_00)]),
    ],
)
def test_whatever_the_line_does_the_money_goes_back_once(
    world: World, kind: str, times: int, refunds: list[tuple[str, int]]
) -> None:
    ada, order_id = refundable(world)
    world.stripe.fail(kind, REFUND, times=times)
    world.run(order_id)
    world.stripe.calm()
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert world.given_back(ada) == [119_00]
    assert sorted(world.refunds(order_id)) == refunds


def test_a_refund_whose_key_has_expired_is_looked_up_first(world: World) -> None:
    ada, order_id = refundable(world)
    world.stripe.fail("answer_lost", REFUND)
    world.stripe.fail("unavailable", "refunds.list")
    world.run(order_id)
    world.stripe.calm()
    world.stripe.expire_keys()
    world.pass_time(hours=24)
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert world.given_back(ada) == [119_00]


def test_money_that_was_given_back_by_hand_is_not_given_back_again(world: World) -> None:
    ada, order_id = refundable(world)
    refund_by_hand(world, order_id, 119_00)
    assert world.run(order_id).status is OrderStatus.REFUNDED
    assert world.given_back(ada) == [119_00]


def test_a_part_given_back_by_hand_is_for_a_person_to_complete(world: World) -> None:
    ada, order_id = refundable(world)
    refund_by_hand(world, order_id, 19_00)
    with pytest.raises(Misconfigured):
        world.run(order_id)
    order = world.order(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.REFUND_PAYMENT)
    assert world.given_back(ada) == [19_00]


def test_a_refund_that_fails_after_it_was_accepted_calls_a_person(world: World) -> None:
    _, order_id = refundable(world, "pm_card_refundFail")
    assert world.run(order_id).status is OrderStatus.REFUNDED
    charge = world.rows(ChargeAttempt, order_id=order_id)[0].ref
    assert world.stripe.eventually(lambda: world.refunds_at_provider(charge) == ["failed"])
    for _ in range(2):
        world.notify(charge, "refund.failed")
    order = world.order(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.REFUND_PAYMENT)
    assert world.timeline(order_id).count("refund.failed") == 1


def test_a_refund_that_fails_before_the_customer_is_told_is_not_told(world: World) -> None:
    ada, order_id = refundable(world, "pm_card_refundFail")
    world.run(order_id, until=Step.SEND_REFUND_NOTICE)
    charge = world.rows(ChargeAttempt, order_id=order_id)[0].ref
    assert world.stripe.eventually(lambda: world.refunds_at_provider(charge) == ["failed"])
    world.notify(charge, "refund.failed")
    order = world.run(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.REFUND_PAYMENT)
    assert world.mails(ada) == []


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("refund_payment.called", []),
        ("refund_payment.recorded", []),
        ("send_refund_notice.claimed", []),
        ("send_refund_notice.calling", ["refund_notice"]),
        ("send_refund_notice.called", ["refund_notice"]),
    ],
)
def test_a_refund_that_fails_while_its_order_is_about_to_end_calls_a_person(
    world: World, place: str, told: list[str]
) -> None:
    _, order_id = refundable(world, "pm_card_refundFail")
    failure_points.arm(lambda here, _: refund_fails(world, order_id) if here == place else None)
    order = world.run(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.REFUND_PAYMENT)
    assert (world.refunds(order_id), world.letters(order_id)) == ([("failed", 119_00)], told)
    assert waiting_events(world) == {}


def refund_fails(world: World, order_id: UUID) -> None:
    failure_points.arm(None)
    charge = world.rows(ChargeAttempt, order_id=order_id)[0].ref
    assert world.stripe.eventually(lambda: world.refunds_at_provider(charge) == ["failed"])
    world.notify(charge, "refund.failed")


def test_a_person_who_resumes_a_refund_that_failed_meanwhile_finds_it_called_back(world: World) -> None:
    _, order_id = refundable(world, "pm_card_refundFail")
    world.run(order_id, until=Step.SEND_REFUND_NOTICE)
    world.park(order_id)
    refund_fails(world, order_id)
    with world.begin() as session:
        operations.resume(session, order_id, first=Step.SEND_REFUND_NOTICE, by="ops")
    order = world.run(order_id)
    assert (order.status, order.next_step) == (OrderStatus.NEEDS_ATTENTION, Step.REFUND_PAYMENT)
    assert world.letters(order_id) == []


# Money that came after we had given it up


def late_money(world: World, order_id: UUID) -> str:
    """The first attempt of an order is given up here, while the provider takes the money all the same."""
    with world.begin() as session:
        attempt = session.get_one(ChargeAttempt, (order_id, 1))
        attempt.status, ref = AttemptStatus.VOID, attempt.ref
        attempt.ref = None
    assert ref is not None
    return ref


def test_money_on_an_attempt_that_was_given_up_goes_back_and_the_order_stays_as_it_is(world: World) -> None:
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    late = late_money(world, order_id)
    with world.begin() as session:
        session.execute(update(Order).where(Order.id == order_id).values(next_step=Step.COLLECT_PAYMENT))
    assert world.run(order_id).status is OrderStatus.COMPLETED
    assert world.charged(ada) == [119_00, 119_00]
    for number in range(3):
        world.notify(late, event_id=f"evt_{order_id}_{number // 2}")
    assert world.given_back(ada) == [119_00]
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "succeeded", 119_00)]
    assert world.refunds(order_id) == [("succeeded", 119_00)]


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


def money_twice(world: World, card: str) -> tuple[UUID, str]:
    """An order that is completed and paid by another card, and the charge of an attempt with `card` that had been given up."""
    ada = world.customer(card=card)
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.ACTIVATE_SUBSCRIPTION)
    late = late_money(world, order_id)
    with world.begin() as session:
        session.execute(update(Order).where(Order.id == order_id).values(next_step=Step.COLLECT_PAYMENT))
    assert world.run(order_id).status is OrderStatus.COMPLETED
    return order_id, late


def wrong_refunds(world: World) -> list[str]:
    with world.begin() as session:
        return [difference.found for difference in verify(session) if difference.check is Check.REFUND]


def test_unexpected_money_whose_refund_fails_later_goes_back_again_and_again_ever_more_slowly(world: World) -> None:
    order_id, late = money_twice(world, "pm_card_refundFail")
    world.notify(late)
    for refunds in (1, 2):
        assert world.stripe.eventually(lambda n=refunds: world.refunds_at_provider(late) == ["failed"] * n)  # type: ignore[misc]
        world.notify(late, "refund.failed")
        world.notify(late, "charge.refund.updated")
        assert world.refunds(order_id) == [("failed", 119_00)] * refunds
        assert wrong_refunds(world) == ["0"]
        assert len(waiting_events(world)) == 2
        world.pass_time(seconds=3600)
        webhooks.handle_webhooks()
        assert sorted(world.refunds(order_id)) == [("failed", 119_00)] * refunds + [("succeeded", 119_00)]
        world.pass_time(seconds=1)
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert world.timeline(order_id).count("charge.unexpected") == 1
    assert world.timeline(order_id).count("refund.failed") == 2


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


# What others did


def test_a_dispute_is_noted_once_and_the_order_stays_as_it_is(world: World) -> None:
    order_id = world.buy(world.customer(), purchase()).id
    for _ in range(2):
        world.notify(world.rows(ChargeAttempt, order_id=order_id)[0].ref, "charge.dispute.created")
    assert world.timeline(order_id).count("charge.disputed") == 1
    assert (world.order(order_id).status, world.refunds(order_id)) == (OrderStatus.COMPLETED, [])


def test_a_refund_in_the_dashboard_is_noted_once_and_the_order_stays_as_it_is(world: World) -> None:
    order_id = world.buy(world.customer(), purchase()).id
    refund_by_hand(world, order_id, 19_00)
    for kind in ("refund.created", "charge.refunded"):
        world.notify(world.rows(ChargeAttempt, order_id=order_id)[0].ref, kind)
    [facts] = [row.facts for row in world.rows(OrderEvent, order_id=order_id, kind="refund.elsewhere")]
    assert (facts["attempt"], facts["amount_minor"]) == (1, 19_00)
    assert (world.order(order_id).status, world.refunds(order_id)) == (OrderStatus.COMPLETED, [])


def test_our_own_refund_is_not_taken_for_somebody_elses(world: World) -> None:
    _, order_id = refundable(world)
    world.run(order_id)
    world.notify(world.rows(ChargeAttempt, order_id=order_id)[0].ref, "charge.refunded")
    assert "refund.elsewhere" not in world.timeline(order_id)


def test_what_the_provider_says_of_a_failed_refund_is_not_shown_to_the_customer(world: World) -> None:
    _, order_id = refundable(world, "pm_card_refundFail")
    world.run(order_id)
    charge = world.rows(ChargeAttempt, order_id=order_id)[0].ref
    assert world.stripe.eventually(lambda: world.refunds_at_provider(charge) == ["failed"])
    world.notify(charge, "refund.failed")
    [event] = world.rows(OrderEvent, order_id=order_id, kind="refund.failed")
    assert list(event.facts) == ["error"]


def waiting_events(world: World) -> dict[str, tuple[int, float | None]]:
    """Event -> failed tries, and seconds until the next, of those that are not handled."""
    rows = world.rows(WebhookReceived, handled_at=None)
    return {
        row.id: (row.attempts, row.next_attempt_at and (row.next_attempt_at - world.time).total_seconds())
        for row in rows
    }


def test_one_event_that_cannot_be_handled_does_not_stop_the_next_and_is_not_forgotten(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    world.authenticate(order.id)
    unknown = world.receive("pi_unknown", "payment_intent.succeeded")
    world.notify(world.rows(ChargeAttempt, order_id=order.id)[0].ref)
    assert world.run(order.id).status is OrderStatus.COMPLETED
    assert waiting_events(world) == {unknown: (1, 10.0)}
    assert world.rows(WebhookReceived, id=unknown)[0].outcome.startswith("failed: Misconfigured: ")


def test_an_event_that_fails_again_and_again_is_tried_ever_more_slowly(world: World) -> None:
    unknown = world.receive("pi_unknown", "payment_intent.succeeded")
    waits = []
    for _ in range(11):
        webhooks.handle_webhooks()
        attempts, wait = waiting_events(world)[unknown]
        webhooks.handle_webhooks()
        assert waiting_events(world)[unknown] == (attempts, wait)
        assert wait is not None
        waits.append(wait)
        world.pass_time(seconds=wait)
    assert waits == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]


def test_an_event_during_an_outage_is_handled_after_it(world: World) -> None:
    ada = world.customer(card=ASKS_BANK)
    order = world.buy(ada, purchase())
    world.authenticate(order.id)
    world.stripe.fail("unavailable", "payment_intents.retrieve")
    world.notify(world.rows(ChargeAttempt, order_id=order.id)[0].ref)
    assert world.order(order.id).status is OrderStatus.AWAITING_AUTHENTICATION
    world.stripe.calm()
    world.pass_time(seconds=10)
    assert webhooks.handle_webhooks() == 1
    assert (waiting_events(world), world.run(order.id).status) == ({}, OrderStatus.COMPLETED)
