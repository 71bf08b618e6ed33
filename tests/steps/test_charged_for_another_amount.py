"""A change that is open in the backup and was charged since: the amount is another now, so that charge goes back, once, and what is due is charged."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

import pytest

from models.invoices import Invoice
from models.payments import RefundAttempt
from models.rules.period import Interval
from models.states import OrderStatus, Step
from tasks import wiring
from tasks.charges import webhooks
from tasks.errors import Misconfigured
from tasks.operating import outside_refunds, resumption, unexpected_refunds
from tasks.operating.order_at_hand import NotPossible
from tasks.ports import Charge, ChargeRequest, PaymentProvider
from tests.support.backup import BackUp
from tests.support.books import verified
from tests.support.payment import ASKS_BANK, DECLINES
from tests.support.places import at, dying_at
from tests.support.restored import DUE, LOST, about_to_buy, about_to_change, money, reconciled
from tests.support.world import Customer, World, purchase


@pytest.fixture
def charged_since(world: World, backed_up: BackUp) -> Callable[..., tuple[Customer, UUID]]:
    """A change that the restored database is about to charge, and does not know to have been charged."""

    def make(card: str = "pm_card_visa") -> tuple[Customer, UUID]:
        ada, order_id = about_to_change(world, card)
        restore = backed_up()
        assert world.run(order_id).status is OrderStatus.COMPLETED
        restore()
        confirms_days_later(world, order_id)
        return ada, order_id

    return make


def confirms_days_later(world: World, order_id: UUID, *, key: str = "forgotten") -> None:
    """Another amount is due by then. key: whether the provider still knows that of the first charge."""
    world.pass_time(days=1.2)
    if key == "forgotten":
        world.stripe.expire_keys()
    assert world.run(order_id).status is OrderStatus.AWAITING_CONFIRMATION
    world.confirm(order_id)


def lost_charge(world: World, ada: Customer) -> str:
    return str(world.books(ada)["charges"][1]["payment_intent"])


def refund_by_hand(world: World, ada: Customer, *parts: int) -> None:
    """In the provider's Dashboard."""
    for amount in parts:
        world.stripe.client().v1.refunds.create({"payment_intent": lost_charge(world, ada), "amount": amount})


def test_the_charge_goes_back_before_what_is_due_is_charged(
    world: World, charged_since: Callable[..., tuple[Customer, UUID]]
) -> None:
    ada, order_id = charged_since()
    order = world.go_on(order_id)
    assert (order.status, order.due_minor) == (OrderStatus.COMPLETED, DUE)
    assert money(world, ada) == ([LOST, DUE], [LOST])
    assert world.attempts(order_id) == [(1, "void", LOST), (2, "succeeded", DUE)]
    [refund] = world.rows(RefundAttempt, order_id=order_id)
    assert (refund.key, refund.charge_attempt, refund.status) == (f"order:{order_id}:refund:1", 1, "succeeded")
    told = world.timeline(order_id)
    assert [kind for kind in told if kind.startswith(("charge.", "refund"))] == [
        "charge.attempted",
        "charge.unexpected",
        "refund.attempted",
        "charge.attempted",
    ]
    [unexpected] = world.noted(order_id, "charge.unexpected")
    assert unexpected == {"attempt": 1, "amount_minor": LOST}
    assert (verified(world), reconciled(world, ada)) == ([], [])
    assert len(world.rows(Invoice, order_id=order_id)) == 1


def test_the_charge_of_a_purchase_whose_price_has_changed_goes_back_and_what_is_due_is_charged(
    world: World, backed_up: BackUp
) -> None:
    ada, order_id = about_to_buy(world)
    restore = backed_up()
    world.run(order_id)
    restore()
    world.reprice("desk", "team", Interval.MONTH, 11_00)
    assert confirmed_days_later(world, order_id) == 130_90
    assert (world.charged(ada), world.given_back(ada)) == ([119_00, 130_90], [119_00])
    assert verified(world) == []


def test_late_events_of_the_charge_that_goes_back_change_nothing(
    world: World, charged_since: Callable[..., tuple[Customer, UUID]]
) -> None:
    ada, order_id = charged_since()
    world.notify(lost_charge(world, ada))
    world.go_on(order_id)
    for kind in ("payment_intent.succeeded", "charge.refunded", "refund.created"):
        world.notify(lost_charge(world, ada), kind)
    assert money(world, ada) == ([LOST, DUE], [LOST])
    assert world.timeline(order_id).count("charge.unexpected") == 1
    assert (verified(world), reconciled(world, ada)) == ([], [])


@pytest.mark.parametrize(
    "place",
    [f"{point} {nth}" for point in ("claimed", "calling", "called") for nth in (1, 2)]
    + ["recorded 1", "calling 3", "called 3"],
)
@pytest.mark.parametrize("key", ["known", "forgotten"])
def test_a_worker_that_dies_on_the_way_leaves_one_charge_that_stands(
    world: World, charged_since: Callable[..., tuple[Customer, UUID]], place: str, key: str
) -> None:
    """First calling: the charge is looked up; second: it is to be refunded; third: what is due is to be charged."""
    ada, order_id = charged_since()
    point, nth = place.split()
    with dying_at(f"collect_payment.{point}", nth=int(nth)):
        world.go_on(order_id)
    standing = sum(money(world, ada)[0]) - sum(money(world, ada)[1])
    assert standing in (LOST, 0, DUE)
    if key == "forgotten":
        world.pass_time(hours=23.5)
        world.stripe.expire_keys()
    order = world.go_on(order_id)
    if order.status is OrderStatus.AWAITING_CONFIRMATION:
        world.confirm(order_id)
        order = world.go_on(order_id)
    assert order.status is OrderStatus.COMPLETED
    assert money(world, ada) == ([LOST, order.due_minor], [LOST])
    assert (verified(world), reconciled(world, ada)) == ([], [])


@pytest.mark.parametrize("parts", [[LOST], [76_84, 300_00]], ids=["at once", "in two parts"])
def test_what_went_back_in_the_dashboard_is_recorded_and_not_refunded_again(
    world: World, charged_since: Callable[..., tuple[Customer, UUID]], parts: list[int]
) -> None:
    ada, order_id = charged_since()
    refund_by_hand(world, ada, *parts)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert (money(world, ada)[0], sorted(money(world, ada)[1])) == ([LOST, DUE], parts)
    assert world.attempts(order_id) == [(1, "void", LOST), (2, "succeeded", DUE)]
    assert world.refunds(order_id) == [("succeeded", LOST)]
    assert world.timeline(order_id).count("refund.elsewhere") == len(parts)
    assert verified(world) == []


def test_while_a_part_of_it_is_back_the_order_is_charged_nothing_and_a_person_looks(
    world: World, charged_since: Callable[..., tuple[Customer, UUID]]
) -> None:
    ada, order_id = charged_since()
    refund_by_hand(world, ada, 76_84)
    with pytest.raises(Misconfigured, match="refuses to refund"):
        world.go_on(order_id)
    assert world.order(order_id).status is OrderStatus.NEEDS_ATTENTION
    assert money(world, ada) == ([LOST], [76_84])
    refund_by_hand(world, ada, 300_00)
    resume(world, order_id)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert money(world, ada)[0] == [LOST, DUE]
    assert verified(world) == []


def resume(world: World, order_id: UUID) -> None:
    plan = resumption.Resumption(Step.COLLECT_PAYMENT, Step.COLLECT_PAYMENT)
    with world.begin() as session:
        resumption.resume(session, order_id, plan, by="Olga")


def refund_fails(world: World, order_id: UUID, ada: Customer) -> None:
    """It is made, its answer is lost, and the card's bank sends it back."""
    with dying_at("collect_payment.called", nth=2):
        world.go_on(order_id)
    charge = lost_charge(world, ada)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(charge) == ["failed"])


def test_a_refund_that_fails_calls_a_person_who_resumes_it(
    world: World, charged_since: Callable[..., tuple[Customer, UUID]]
) -> None:
    ada, order_id = charged_since("pm_card_refundFail")
    refund_fails(world, order_id, ada)
    order = world.go_on(order_id)
    assert order.status is OrderStatus.NEEDS_ATTENTION
    assert re.fullmatch(
        r"refund re_\w+ failed: expired_or_canceled_card\. Charge pi_\w+ is of 376.84 EUR, not of what is due, 381.60 EUR: "
        r"resume the order to give it back once more, or cancel the order",
        order.last_error or "",
    )
    assert (world.attempts(order_id), money(world, ada)[0]) == ([(1, "pending", LOST)], [LOST])
    assert verified(world) == [
        f"order {order.number}: what went back of the unexpected charge {lost_charge(world, ada)} should be 37684, is 0"
    ]
    resume(world, order_id)
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert world.refunds(order_id) == [("failed", LOST), ("succeeded", LOST)]
    assert world.attempts(order_id) == [(1, "void", LOST), (2, "succeeded", DUE)]
    assert (verified(world), reconciled(world, ada)) == ([], [])


def test_a_change_whose_refund_fails_can_be_cancelled_and_settled_outside(
    world: World, charged_since: Callable[..., tuple[Customer, UUID]]
) -> None:
    ada, order_id = charged_since("pm_card_refundFail")
    refund_fails(world, order_id, ada)
    world.go_on(order_id)
    assert world.cancel(order_id) is OrderStatus.OPEN
    assert world.run(order_id, until=Step.REFUND_PAYMENT).status is OrderStatus.OPEN
    assert (verified(world), world.attempts(order_id)) == ([], [(1, "succeeded", LOST)])
    world.park(order_id)
    assert verified(world) == []
    outside_refunds.settle(order_id, by="Olga", why="transfer of 3 May")
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert sorted(world.refunds(order_id)) == [("failed", LOST), ("succeeded", LOST)]
    assert (verified(world), money(world, ada)[0]) == ([], [LOST])


def test_a_charge_that_the_provider_refunds_no_more_is_recorded_as_given_back_once_the_order_is_cancelled(
    world: World, charged_since: Callable[..., tuple[Customer, UUID]]
) -> None:
    ada, order_id = charged_since()
    charge = lost_charge(world, ada)
    world.stripe.control("dispute", payment_intent=charge, status="won")
    with pytest.raises(Misconfigured, match=r"is owed still: .* run `prorata orders cancel \d+`$"):
        world.go_on(order_id)
    with pytest.raises(
        NotPossible, match=r"run `prorata orders cancel \d+` first, then `prorata orders refunded-outside"
    ):
        unexpected_refunds.settle(order_id, charge, by="Olga", why="transfer of 3 May")
    assert world.refunds(order_id) == [("pending", LOST)]
    assert world.cancel(order_id) is OrderStatus.OPEN
    with pytest.raises(Misconfigured):
        world.go_on(order_id)
    outside_refunds.settle(order_id, by="Olga", why="transfer of 3 May")
    assert world.go_on(order_id).status is OrderStatus.REFUNDED
    assert (verified(world), sorted(world.refunds(order_id))) == ([], [("failed", LOST), ("succeeded", LOST)])
    assert world.given_back(ada) == []


def test_an_accepted_refund_that_fails_later_is_made_again(
    world: World, charged_since: Callable[..., tuple[Customer, UUID]]
) -> None:
    ada, order_id = charged_since("pm_card_refundFail")
    world.go_on(order_id)
    charge = lost_charge(world, ada)
    assert world.stripe.banks_settle(lambda: world.refunds_at_provider(charge) == ["failed"])
    world.notify(charge, "refund.failed")
    world.pass_time(minutes=1)
    webhooks.handle_webhooks()
    assert world.order(order_id).status is OrderStatus.COMPLETED
    assert sorted(world.refunds(order_id)) == [("failed", LOST), ("succeeded", LOST)]
    assert verified(world) == []


@pytest.mark.parametrize("parked", [False, True], ids=["open", "parked"])
@pytest.mark.parametrize("since", ["nothing", "refunded in the dashboard"])
def test_a_change_that_is_cancelled_gives_the_charge_back_and_its_notice_names_what_was_charged(
    world: World, charged_since: Callable[..., tuple[Customer, UUID]], parked: bool, since: str
) -> None:
    """Cancelled when the provider was asked to look the charge up, and gave no answer."""
    ada, order_id = charged_since()
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    world.stripe.fail("unavailable", "payment_intents.list")
    world.run(order_id)
    world.stripe.calm()
    assert world.attempts(order_id) == [(1, "pending", DUE)]
    if parked:
        world.park(order_id)
    if since != "nothing":
        refund_by_hand(world, ada, LOST)
    assert world.cancel(order_id) is OrderStatus.OPEN
    order = world.go_on(order_id)
    assert (order.status, order.reason) == (OrderStatus.REFUNDED, "cancelled-by-customer")
    assert (world.attempts(order_id), world.refunds(order_id)) == ([(1, "succeeded", LOST)], [("succeeded", LOST)])
    assert money(world, ada) == ([LOST], [LOST])
    assert told_in_the_notice(world, order_id, ada) == {"refunded": True, "due": False}
    assert verified(world) == []


def told_in_the_notice(world: World, order_id: UUID, ada: Customer) -> dict[str, bool]:
    assert "refund_notice" in world.letters(order_id)
    [mail] = [each for each in world.mailbox.listed(f"to:{ada.email}") if "was not carried out" in each["Subject"]]
    said = str(world.mailbox.read(mail["ID"])["Text"]).partition("You get back")[2]
    return {"refunded": "€376.84" in said, "due": "€381.60" in said}


def test_a_change_that_is_cancelled_while_the_charge_goes_back_ends_without_another(
    world: World, charged_since: Callable[..., tuple[Customer, UUID]]
) -> None:
    ada, order_id = charged_since()
    with at("collect_payment.calling", lambda: world.cancel(order_id), nth=2):
        order = world.go_on(order_id)
    assert (order.status, order.reason) == (OrderStatus.REFUNDED, "cancelled-by-customer")
    assert (world.attempts(order_id), money(world, ada)) == ([(1, "succeeded", LOST)], ([LOST], [LOST]))
    [undone] = world.noted(order_id, "refund_payment.done")
    assert undone == {"refunded_minor": LOST}
    assert told_in_the_notice(world, order_id, ada) == {"refunded": True, "due": False}
    assert (verified(world), reconciled(world, ada)) == ([], [])


def test_a_charge_in_another_currency_goes_back_too(
    world: World, charged_since: Callable[..., tuple[Customer, UUID]]
) -> None:
    ada, order_id = charged_since()
    world.stripe.control("change", id=lost_charge(world, ada), values={"currency": "usd"})
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert money(world, ada) == ([LOST, DUE], [LOST])
    assert [(row.currency, row.amount_minor) for row in world.rows(RefundAttempt)] == [("USD", LOST)]
    assert verified(world) == []


@pytest.mark.parametrize("key", ["known", "forgotten"])
def test_a_payment_of_another_amount_that_waits_for_the_customer_can_no_longer_be_made(
    world: World, backed_up: BackUp, key: str
) -> None:
    """It asks for 3-D Secure, both times."""
    ada, order_id = about_to_change(world, ASKS_BANK)
    restore = backed_up()
    assert world.run(order_id).status is OrderStatus.AWAITING_AUTHENTICATION
    restore()
    confirms_days_later(world, order_id, key=key)
    world.go_on(order_id)
    world.pass_time(seconds=61)
    assert world.go_on(order_id).status is OrderStatus.AWAITING_AUTHENTICATION
    assert [(made["amount"], made["status"]) for made in world.intents(ada)[1:]] == [
        (LOST, "canceled"),
        (DUE, "requires_action"),
    ]
    world.authenticate(order_id)
    world.notify(world.intents(ada)[2]["id"])
    assert world.go_on(order_id).status is OrderStatus.COMPLETED
    assert (money(world, ada), verified(world)) == (([DUE], []), [])


@pytest.mark.parametrize("key", ["known", "forgotten"])
def test_a_charge_of_another_amount_that_was_declined_is_nothing_against_the_card_on_file(
    world: World, backed_up: BackUp, key: str
) -> None:
    ada, order_id = about_to_change(world, DECLINES)
    restore = backed_up()
    assert world.run(order_id).status is OrderStatus.PAYMENT_DECLINED
    restore()
    world.give_card(ada, "pm_card_mastercard")
    confirms_days_later(world, order_id, key=key)
    world.go_on(order_id)
    world.pass_time(seconds=61)
    order = world.go_on(order_id)
    assert (order.status, money(world, ada)) == (OrderStatus.COMPLETED, ([order.due_minor], []))
    assert verified(world) == []


def test_an_answer_of_another_amount_to_the_request_itself_is_our_mistake(world: World) -> None:
    """Nothing is charged a second time: another request would be answered alike."""
    ada = world.customer()
    order_id = world.place(ada, purchase())
    world.run(order_id, until=Step.COLLECT_PAYMENT)
    provider = world.wiring.payments

    class Misreads:
        def __getattr__(self, name: str) -> Any:
            return getattr(provider, name)

        def charge(self, request: ChargeRequest) -> Charge:
            return replace(provider.charge(request), amount_minor=1_19)

    wiring.plug_in(replace(world.wiring, payments=cast(PaymentProvider, Misreads())))
    with pytest.raises(Misconfigured, match=r"is of 1.19 EUR, attempt order:.*:charge:1 of 119.00 EUR"):
        world.run(order_id)
    assert world.order(order_id).status is OrderStatus.NEEDS_ATTENTION
    assert (world.charged(ada), world.given_back(ada)) == ([119_00], [])


def test_after_a_second_restore_the_charge_that_stands_is_found_behind_the_one_that_went_back(
    world: World, backed_up: BackUp
) -> None:
    ada, order_id = about_to_change(world)
    restore = backed_up()
    world.run(order_id)
    restore()
    restore_again = backed_up()
    assert confirmed_days_later(world, order_id) == DUE
    restore_again()
    again = confirmed_days_later(world, order_id)
    assert money(world, ada) == ([LOST, DUE, again], [LOST, DUE])
    assert world.attempts(order_id) == [(1, "void", LOST), (2, "void", DUE), (3, "succeeded", again)]
    assert (verified(world), reconciled(world, ada)) == ([], [])


def confirmed_days_later(world: World, order_id: UUID) -> int:
    """What is due, and charged."""
    confirms_days_later(world, order_id)
    order = world.go_on(order_id)
    assert order.status is OrderStatus.COMPLETED
    return order.due_minor
