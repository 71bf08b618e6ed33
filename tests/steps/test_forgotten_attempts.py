"""A restored database has forgotten attempts after the one that it looks up: the charge of the last one is found, and no other stands beside it."""

from uuid import UUID

import pytest
from structlog.testing import capture_logs

from models.messages import WebhookReceived
from models.orders import OrderEvent
from models.rules.period import Interval
from models.states import OrderStatus, Step
from tasks.charges import webhooks
from tasks.charges.late_charges import late_charges
from tasks.operating import support_refund
from tests.support.backup import BackUp
from tests.support.books import verified
from tests.support.messages import eventually
from tests.support.payment import ASKS_BANK, CREATE, REFUND, waiting_events
from tests.support.places import dying_at
from tests.support.restored import DUE, LOST, about_to_buy, about_to_change, money, reconciled
from tests.support.world import Customer, World, purchase


def charged_by_the_second(world: World, order_id: UUID) -> None:
    """The provider fails at the first attempt, and makes no charge."""
    world.stripe.fail("server_error", CREATE, times=1)
    world.run(order_id)
    world.pass_time(seconds=61)
    world.stripe.calm()
    assert world.go_on(order_id).status is OrderStatus.COMPLETED


def charged_twice(world: World, ada: Customer, order_id: UUID) -> None:
    """The first attempt's charge comes only once the order was charged by the second."""
    world.stripe.fail("server_error_before_effect", CREATE, times=1, seconds=600)
    world.run(order_id)
    world.pass_time(seconds=61)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    world.stripe.calm()
    assert eventually(lambda: len(world.charged(ada)) == 2)


CHARGED = {"nothing": lambda world, _, order_id: charged_by_the_second(world, order_id), "late money": charged_twice}
"""by what came of the first attempt"""


def ref_of(world: World, ada: Customer, attempt: int) -> str:
    [ref] = [made["id"] for made in world.intents(ada) if made["metadata"]["attempt"] == str(attempt)]
    return str(ref)


def goes_on(world: World, order_id: UUID, *, hours: float = 29) -> OrderStatus:
    """When the provider has forgotten the keys. Confirms what it is asked."""
    world.pass_time(hours=hours)
    world.stripe.expire_keys()
    if world.go_on(order_id).status is OrderStatus.AWAITING_CONFIRMATION:
        world.confirm(order_id)
    world.go_on(order_id)
    world.pass_time(seconds=61)
    return world.go_on(order_id).status


def given_back_by_now(world: World) -> None:
    """What arrived on attempts that were given up."""
    world.pass_time(minutes=15)
    late_charges()


def test_an_attempt_that_was_void_without_a_charge_is_not_charged_again(world: World, backed_up: BackUp) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    charged_by_the_second(world, order_id)
    restore()
    assert goes_on(world, order_id, hours=23.5) is OrderStatus.COMPLETED
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [])
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "succeeded", 119_00)]
    assert verified(world) == []


def test_a_void_attempt_is_not_charged_again_where_another_amount_is_due_now(world: World, backed_up: BackUp) -> None:
    ada, order_id = about_to_change(world)
    restore = backed_up()
    charged_by_the_second(world, order_id)
    restore()
    assert goes_on(world, order_id) is OrderStatus.COMPLETED
    due = world.order(order_id).due_minor
    assert money(world, ada) == ([LOST, due], [LOST])
    assert world.attempts(order_id) == [(1, "void", due), (2, "void", LOST), (3, "succeeded", due)]
    assert (verified(world), reconciled(world, ada)) == ([], [])


def paid_with_another_card(world: World, ada: Customer, order_id: UUID) -> None:
    """Once the first card's payment, at the bank, was cancelled in the Dashboard."""
    world.run(order_id)
    waits = world.intents(ada)[-1]["id"]
    world.stripe.client().v1.payment_intents.cancel(waits)
    world.notify(waits, "payment_intent.canceled")
    assert world.go_on(order_id).status is OrderStatus.PAYMENT_DECLINED
    world.give_card(ada, "pm_card_visa")
    world.pay_again(order_id)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED


def test_a_void_attempt_is_not_charged_again_where_its_payment_was_cancelled_and_another_card_paid(
    world: World, backed_up: BackUp
) -> None:
    ada, order_id = about_to_change(world, ASKS_BANK)
    restore = backed_up()
    paid_with_another_card(world, ada, order_id)
    restore()
    world.give_card(ada, "pm_card_visa")
    assert goes_on(world, order_id) is OrderStatus.COMPLETED
    assert money(world, ada) == ([LOST, world.order(order_id).due_minor], [LOST])
    assert (verified(world), reconciled(world, ada)) == ([], [])


def test_no_other_card_is_asked_for_while_the_key_still_gives_the_cancelled_payment(
    world: World, backed_up: BackUp
) -> None:
    ada, order_id = about_to_buy(world)
    world.give_card(ada, ASKS_BANK)
    restore = backed_up()
    paid_with_another_card(world, ada, order_id)
    restore()
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert (world.charged(ada), world.attempts(order_id)) == (
        [119_00],
        [(1, "void", 119_00), (2, "succeeded", 119_00)],
    )


def test_a_void_attempt_is_not_charged_again_where_we_cancelled_its_payment_after_an_earlier_restore(
    world: World, backed_up: BackUp
) -> None:
    ada, order_id = about_to_change(world, ASKS_BANK)
    restore = backed_up()
    world.run(order_id)
    restore()
    restore_again = backed_up()
    world.pass_time(days=1.2)
    world.run(order_id)
    world.confirm(order_id)
    world.go_on(order_id)
    world.pass_time(seconds=61)
    world.go_on(order_id)
    world.authenticate(order_id)
    world.notify(world.intents(ada)[2]["id"])
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    restore_again()
    world.give_card(ada, "pm_card_visa")
    assert goes_on(world, order_id) is OrderStatus.COMPLETED
    due = world.order(order_id).due_minor
    assert money(world, ada) == ([DUE, due], [DUE])
    assert (verified(world), reconciled(world, ada)) == ([], [])


def test_an_order_that_waits_for_its_customer_at_the_bank_is_not_charged_again(world: World, backed_up: BackUp) -> None:
    """The second attempt's payment, not over when the database was lost, goes on."""
    ada, order_id = about_to_buy(world)
    world.give_card(ada, ASKS_BANK)
    restore = backed_up()
    world.stripe.fail("server_error", CREATE, times=1)
    world.run(order_id)
    world.pass_time(seconds=61)
    world.stripe.calm()
    assert world.go_on(order_id).status is OrderStatus.AWAITING_AUTHENTICATION
    restore()
    world.give_card(ada, ASKS_BANK)
    assert goes_on(world, order_id, hours=23.5) is OrderStatus.AWAITING_AUTHENTICATION
    assert [made["status"] for made in world.intents(ada)] == ["requires_action"]
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "requires_action", 119_00)]


@pytest.mark.parametrize("hours", [1, 23.5, 30])
@pytest.mark.parametrize("refunded", [True, False], ids=["back before", "still here"])
def test_late_money_goes_back_and_the_charge_that_paid_the_order_is_its_charge(
    world: World, backed_up: BackUp, refunded: bool, hours: float
) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    charged_twice(world, ada, order_id)
    if refunded:
        world.notify(ref_of(world, ada, 1))
        assert world.given_back(ada) == [119_00]
    restore()
    world.pass_time(hours=hours)
    if hours > 23:
        world.stripe.expire_keys()
    if world.go_on(order_id).status is OrderStatus.AWAITING_CONFIRMATION:
        world.confirm(order_id)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    for _ in range(2):
        assert (world.charged(ada), world.given_back(ada)) == ([119_00, 119_00], [119_00])
        given_back_by_now(world)
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "succeeded", 119_00)]
    assert world.refunds(order_id) == [("succeeded", 119_00)]
    [unexpected] = world.noted(order_id, "charge.unexpected")
    assert unexpected == {"attempt": 1, "amount_minor": 119_00}
    assert verified(world) == []


def test_a_charge_that_went_back_for_another_one_is_not_the_orders_though_its_amount_is_due_again(
    world: World, backed_up: BackUp
) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    world.run(order_id)
    restore()
    restore_again = backed_up()
    world.reprice("desk", "team", Interval.MONTH, 11_00)
    assert goes_on(world, order_id) is OrderStatus.COMPLETED
    assert (world.charged(ada), world.given_back(ada)) == ([119_00, 130_90], [119_00])
    restore_again()
    assert goes_on(world, order_id) is OrderStatus.COMPLETED
    assert (world.charged(ada), world.given_back(ada)) == ([119_00, 130_90, 119_00], [119_00, 130_90])
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "void", 130_90), (3, "succeeded", 119_00)]
    assert (verified(world), sorted(world.refunds(order_id))) == ([], [("succeeded", 119_00), ("succeeded", 130_90)])


@pytest.mark.parametrize("hours", [1, 23.5])
def test_an_order_whose_later_charge_was_refunded_is_not_charged_again(
    world: World, backed_up: BackUp, hours: float
) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    charged_by_the_second(world, order_id)
    with world.begin() as session:
        support_refund.refund(session, order_id, by="Olga", why="returned", now=world.time)
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    restore()
    world.pass_time(hours=hours)
    if hours > 23:
        world.stripe.expire_keys()
    order = world.go_on(order_id)
    assert (order.status, order.reason) == (OrderStatus.REFUNDED, "refunded-before")
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [119_00])
    assert (world.attempts(order_id), verified(world)) == ([(1, "void", 119_00), (2, "succeeded", 119_00)], [])


def test_an_order_goes_on_though_late_money_cannot_go_back_yet(world: World, backed_up: BackUp) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    charged_twice(world, ada, order_id)
    restore()
    world.stripe.fail("unavailable", REFUND)
    assert goes_on(world, order_id, hours=23.5) is OrderStatus.COMPLETED
    assert (world.given_back(ada), world.attempts(order_id)) == ([], [(1, "void", 119_00), (2, "succeeded", 119_00)])
    [named] = verified(world)
    assert f"what went back of the unexpected charge {ref_of(world, ada, 1)}" in named
    world.stripe.calm()
    given_back_by_now(world)
    assert (world.given_back(ada), verified(world)) == ([119_00], [])


@pytest.mark.parametrize("since", ["nothing", "late money"])
@pytest.mark.parametrize("place", ["claimed 1", "claimed 2", "calling 1", "calling 2", "called 1", "recorded 1"])
def test_a_worker_that_dies_on_the_way_leaves_the_order_paid_once(
    world: World, backed_up: BackUp, place: str, since: str
) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    CHARGED[since](world, ada, order_id)
    restore()
    world.pass_time(hours=23.5)
    world.stripe.expire_keys()
    point, nth = place.split()
    with dying_at(f"collect_payment.{point}", nth=int(nth)):
        world.go_on(order_id)
    world.go_on(order_id)
    given_back_by_now(world)
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert sum(world.charged(ada)) - sum(world.given_back(ada)) == 119_00
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "succeeded", 119_00)]
    assert verified(world) == []


@pytest.mark.parametrize("since", ["nothing", "late money"])
def test_an_order_that_is_cancelled_meanwhile_gives_back_all_that_was_charged(
    world: World, backed_up: BackUp, since: str
) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    CHARGED[since](world, ada, order_id)
    restore()
    world.pass_time(hours=23.5)
    world.stripe.expire_keys()
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    world.stripe.fail("unavailable", "payment_intents.list")
    world.run(order_id)
    world.stripe.calm()
    assert world.cancel(order_id) is OrderStatus.OPEN
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert world.charged(ada) == world.given_back(ada)
    assert world.attempts(order_id) == [(1, "void", 119_00), (2, "succeeded", 119_00)]
    assert verified(world) == []


def test_a_payment_whose_metadata_claim_a_number_far_beyond_is_not_the_orders(world: World) -> None:
    """Somebody else made it, and copied the metadata of a payment of ours."""
    ada = world.customer()
    world.stripe.fail("answer_lost", CREATE)
    world.stripe.fail("unavailable", "payment_intents.list")
    order_id = world.place(ada, purchase())
    world.placed_now(order_id)
    world.run(order_id)
    world.stripe.calm()
    [made] = world.intents(ada)
    world.stripe.client().v1.payment_intents.create(
        {
            "amount": 5000,
            "currency": "eur",
            "customer": made["customer"],
            "payment_method": "pm_card_visa",
            "confirm": True,
            "return_url": "https://shop.example",
            "metadata": {"order_id": str(order_id), "attempt": "52"},
        }
    )
    assert goes_on(world, order_id, hours=23.5) is OrderStatus.COMPLETED
    assert world.attempts(order_id) == [(1, "succeeded", 119_00)]
    assert (world.charged(ada), world.given_back(ada)) == ([119_00, 50_00], [])


def test_news_of_a_forgotten_attempt_waits_until_its_order_has_found_the_charge(
    world: World, backed_up: BackUp
) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    charged_by_the_second(world, order_id)
    restore()
    event = world.receive(ref_of(world, ada, 2), "payment_intent.succeeded")
    assert webhooks.handle_webhooks() == 0
    assert outcome_of(world, event) == (
        "failed: NotFoundYet: the order has no attempt 2, and may find its charge once it goes on"
    )
    assert goes_on(world, order_id, hours=23.5) is OrderStatus.COMPLETED
    webhooks.handle_webhooks()
    assert (outcome_of(world, event), world.given_back(ada)) == ("nothing to do", [])


def test_news_of_a_forgotten_attempt_is_tried_ever_more_slowly_while_its_order_waits(
    world: World, backed_up: BackUp
) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    charged_by_the_second(world, order_id)
    restore()
    event = world.receive(ref_of(world, ada, 2), "payment_intent.succeeded")
    delays = []
    for _ in range(11):
        assert webhooks.handle_webhooks() == 0
        [(_, delay)] = waiting_events(world).values()
        world.pass_time(seconds=delay or 0)
        delays.append(delay)
    assert delays == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
    assert goes_on(world, order_id, hours=23.5) is OrderStatus.COMPLETED
    assert (webhooks.handle_webhooks(), outcome_of(world, event)) == (1, "nothing to do")


def test_a_person_is_told_once_of_a_forgotten_attempts_charge_where_its_order_has_ended_without_it(
    world: World, backed_up: BackUp
) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    charged_by_the_second(world, order_id)
    restore()
    assert world.cancel(order_id) is OrderStatus.OPEN
    assert world.go_on(order_id).status is OrderStatus.CANCELLED
    charge = ref_of(world, ada, 2)
    with capture_logs() as logged:
        events = [world.receive(charge, kind) for kind in ("payment_intent.succeeded", "charge.succeeded")]
        assert webhooks.handle_webhooks() == 2
    assert [outcome_of(world, event) for event in events] == ["unknown attempt"] * 2
    assert [(entry["event"], entry["charge"]) for entry in logged if entry["log_level"] == "error"] == [
        ("charge of an attempt that is not known", charge)
    ]
    [told] = world.noted(order_id, "charge.unknown")
    assert told == {"attempt": 2, "amount_minor": 119_00}
    assert (world.given_back(ada), world.attempts(order_id)) == ([], [])


def test_nobody_is_told_of_a_forgotten_attempts_charge_that_is_back(world: World, backed_up: BackUp) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    world.run(order_id)
    restore()
    world.cancel(order_id)
    world.go_on(order_id)
    world.stripe.client().v1.refunds.create({"payment_intent": ref_of(world, ada, 1)})
    event = world.receive(ref_of(world, ada, 1), "charge.refunded")
    assert webhooks.handle_webhooks() == 1
    assert (outcome_of(world, event), "charge.unknown" in world.timeline(order_id)) == ("unknown attempt", False)


def disputed(world: World, charge: str) -> list[tuple[str, str]]:
    """A dispute's event comes, twice; which charges are logged as errors, and their disputes' status."""
    world.stripe.control("dispute", payment_intent=charge, status="needs_response")
    with capture_logs() as logged:
        for _ in range(2):
            world.receive(charge, "charge.dispute.created")
        webhooks.handle_webhooks()
    return [(entry["charge"], entry["status"]) for entry in logged if entry["event"] == "charge disputed"]


@pytest.mark.parametrize("over", [True, False], ids=["whose order has ended without it", "that its order may yet find"])
def test_a_dispute_of_a_forgotten_attempts_charge_is_noted_once(world: World, backed_up: BackUp, over: bool) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    charged_by_the_second(world, order_id)
    restore()
    if over:
        world.cancel(order_id)
        world.go_on(order_id)
    charge = ref_of(world, ada, 2)
    assert disputed(world, charge) == [(charge, "chargeback")]
    if not over:
        assert goes_on(world, order_id, hours=23.5) is OrderStatus.COMPLETED
        webhooks.handle_webhooks()
    [noted] = world.noted(order_id, "charge.disputed")
    assert (noted["attempt"], noted["status"]) == (2, "chargeback")
    assert waiting_events(world) == {}


def test_a_dispute_of_a_lost_orders_charge_is_logged_with_its_id(world: World, backed_up: BackUp) -> None:
    ada = world.customer()
    restore = backed_up()
    lost = world.buy(ada, purchase()).id
    restore()
    charge = ref_of(world, ada, 1)
    assert disputed(world, charge) == [(charge, "chargeback")] * 2
    assert (world.rows(OrderEvent, order_id=lost), waiting_events(world)) == ([], {})


def outcome_of(world: World, event: str) -> str:
    [stored] = world.rows(WebhookReceived, id=event)
    return str(stored.outcome)
